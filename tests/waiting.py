"""Waiting, on a busy machine too: for a condition, and never longer than ten times what a quiet machine may need.

Tests name the time that is generous on a quiet machine. The outer limit is ten times that, so that a machine at ten
times its load passes, and what never happens still fails by name rather than by the runner's time limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 10  # how many times longer than on a quiet machine anything may take
_POLL = 0.03  # seconds


def within(seconds: float) -> float:
    """The outer limit of what takes less than `seconds` on a quiet machine: a `timeout=`, a join, a wait."""
    return seconds * PATIENCE


def wait_until(true: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Ask again every 30 ms until it is true; `seconds` are generous for a quiet machine.

    Fails, saying what was waited for and how long, when ten times that is over.
    """
    began = time.monotonic()
    while not true():
        waited = time.monotonic() - began
        assert waited < within(seconds), f"waited {waited:.1f} s for: {what}"
        time.sleep(_POLL)
