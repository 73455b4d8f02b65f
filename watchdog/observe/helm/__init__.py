"""Helm releases as a platform: what the API server says of them, their workloads and their pods."""
