"""`python -m watchdog.demo`: what `watchdog demo` does."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from watchdog.demo import Fault, Kind, run


def main() -> int:
    """Read the arguments and perform. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m watchdog.demo", description=__doc__)
    parser.add_argument("--fault", choices=[f.value for f in Fault], default=Fault.errors.value)
    parser.add_argument("--platform", choices=[k.value for k in Kind], default=Kind.command.value)
    parser.add_argument("--image", help="for compose: an image with Python 3")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    console = Console(highlight=False)
    return run(fault=given.fault, platform=given.platform, json=given.json, image=given.image, console=console)


if __name__ == "__main__":
    sys.exit(main())
