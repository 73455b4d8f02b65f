"""The daemon's own HTTP: health, metrics, the API."""
