"""`python -m bench [NAME …]`: measure, and print one table. By default all but kubernetes-idle, which takes 22 minutes.

Exit codes: 0 measured, whatever the numbers; 1 under CI=true something could not be measured because it is missing.
Interrupted, or past its time limit, it still ends all that it began.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from bench import api_requests, compose, daemons, kubernetes, looks, ticks
from bench.machine import facts
from bench.report import Row, Skipped, table

LIMIT_SECONDS = 15 * 60
LONG = {"kubernetes-idle": 30 * 60}
"""What is only measured when it is named, with its own time limit in seconds."""
MEASUREMENTS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "ticks": ticks.measure,
    "daemons": daemons.measure,
    "compose": compose.measure,
    "looks": looks.measure,
    "kubernetes": kubernetes.measure,
    "kubernetes-idle": api_requests.measure_idle,
}


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure how fast and small the watchdog is.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(MEASUREMENTS)}; by default all but the last"
    )
    names = parser.parse_args().names or [name for name in MEASUREMENTS if name not in LONG]
    if unknown := set(names) - set(MEASUREMENTS):
        parser.error(f"{', '.join(sorted(unknown))}: not measured here; known: {', '.join(MEASUREMENTS)}")
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, _end)
    signal.alarm(LIMIT_SECONDS + sum(LONG.get(name, 0) for name in names))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="watchdog-bench-") as directory:
        for name in names:
            for row in MEASUREMENTS[name](Path(directory)):
                rows.append(row)
                print(f"measured: {row.name}", file=sys.stderr, flush=True)
    signal.alarm(0)
    print(table(facts(), rows))
    skipped = any(isinstance(row, Skipped) for row in rows)
    return int(skipped and os.environ.get("CI", "").lower() == "true")


def _end(number: int, _frame: FrameType | None) -> None:
    """As an exception, so that everything on the way out is ended and deleted."""
    if number == signal.SIGALRM:
        raise TimeoutError("the bench took longer than it may")
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
