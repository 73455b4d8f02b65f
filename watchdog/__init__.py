"""Watches every deploy, rolls back the bad ones by itself, proves that it helped and says why."""

__version__ = "0.1.0"
