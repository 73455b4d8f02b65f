"""Finds past deploys by a label that says the version: pure, from which values were there at each moment.

A deploy is a value that was not there when the source last had any. So a gap of the monitoring is none, a canary
beside the old version is one, and so is an older version that comes back (people roll back too). The newest version
that is away for a few minutes, because its only instance restarts, is no new deploy.
"""

from __future__ import annotations

from collections.abc import Iterable

from watchdog.model.series import Series

RESTART = 600.0
"""Seconds that the newest version may be away."""


def arrivals(series: Iterable[Series], label: str) -> list[tuple[float, str]]:
    """(unix seconds, value) of each deploy, oldest first. What is there at the first moment came before it."""
    moments: dict[float, set[str]] = {}
    for one in series:
        if value := one.labels.get(label, ""):
            for at in one.at:
                moments.setdefault(at, set()).add(value)
    found: list[tuple[float, str]] = []
    before: set[str] = set()
    seen: dict[str, float] = {}
    for number, at in enumerate(sorted(moments)):
        values = moments[at]
        for value in sorted(values - before) if number else ():
            newest = bool(found) and found[-1][1] == value
            if not (newest and at - seen[value] <= RESTART):
                found.append((at, value))
        before = values
        seen |= dict.fromkeys(values, at)
    return found
