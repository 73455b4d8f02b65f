"""Brings a Compose project back to an earlier revision."""
