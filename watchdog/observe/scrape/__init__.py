"""A service's own metrics page as a source, for hosts without Prometheus: what is now, and its history in the store."""
