"""The command line. Every command reads the same config; people get tables, `--output json` gives machines fields."""

from watchdog.cli.main import main

__all__ = ["main"]
