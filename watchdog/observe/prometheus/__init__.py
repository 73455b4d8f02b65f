"""Prometheus as a source: what is now, and what was before a deploy."""
