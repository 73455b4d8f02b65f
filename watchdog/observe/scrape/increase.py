"""How much counters grew over the last minute: pure bookkeeping of what successive scrapes said.

Only raw increments count, as they were seen; nothing is extrapolated to the edges of the window as Prometheus' rate()
does. Kept are the last value of each series and the sums per scrape, so that memory does not grow with the window.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Growth:
    """The increase of each group over the seconds it was seen in."""

    by_group: Mapping[str, float]
    seconds: float

    @property
    def total(self) -> float:
        """Of all groups together."""
        return math.fsum(self.by_group.values())


@dataclass(frozen=True, slots=True)
class _Step:
    since: datetime
    until: datetime
    gained: Mapping[str, float]


class Increases:
    """The counters of one selector on one page. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self._at: datetime | None = None
        self._last: dict[tuple[str, Hashable], float] = {}
        self._family = False
        self._steps: deque[_Step] = deque()
        self._horizon = timedelta(0)

    def advance(self, at: datetime, values: Mapping[tuple[str, Hashable], float], *, family: bool) -> None:
        """A new scrape: (group, series) → value. `family`: the page had at least one series of this metric.

        A counter that fell began anew at 0. A series that was not there before began at 0 if its metric was there
        (a label value seen for the first time); else the page was not whole before, and it only sets the mark.
        """
        values = {key: value for key, value in values.items() if math.isfinite(value)}
        if self._at is not None and at <= self._at:  # the clock went back: nothing before can be compared
            self._steps.clear()
            self._last.clear()
        elif self._at is not None:
            self._steps.append(_Step(self._at, at, self._gained(values)))
        # A series missing from one page keeps its last value: when it is back, it has not grown from 0.
        self._last.update(values)
        self._at, self._family = at, family
        while self._steps and self._steps[0].since < at - self._horizon and len(self._steps) > 1:
            self._steps.popleft()
        if len(self._last) > 2 * len(values) + 1000:  # series that come and go must not pile up
            self._last = dict(values)

    def _gained(self, values: Mapping[tuple[str, Hashable], float]) -> Mapping[str, float]:
        gained: Counter[str] = Counter()
        for key, value in values.items():
            before = self._last.get(key, 0.0 if self._family else value)
            gained[key[0]] += value - before if value >= before else value  # type: ignore[assignment]
        return gained

    def over(self, now: datetime, window: timedelta) -> Growth | None:
        """The growth within the window that ends now; None with fewer than two scrapes in it, or no series at all.

        Where scrapes are further apart than the window is long, the last two count while they are not older than
        twice the window.
        """
        self._horizon = max(self._horizon, 2 * window)
        steps = [step for step in self._steps if step.since >= now - window]
        if not steps:
            steps = [step for step in list(self._steps)[-1:] if step.since >= now - 2 * window]
        if not steps or not self._last:
            return None
        gained: Counter[str] = Counter()
        for step in steps:
            gained.update(step.gained)
        return Growth(dict(gained), sum((step.until - step.since).total_seconds() for step in steps))


def histogram_quantile(q: float, buckets: Mapping[float, float]) -> float | None:
    """The quantile of a histogram: upper bound → cumulative count, +Inf included. None if it counted nothing.

    As Prometheus' histogram_quantile (promql/quantile.go, bucketQuantile): linear within a bucket, the lowest one
    beginning at 0 if its bound is positive, and never more than the highest finite bound.
    """
    bounds = sorted(buckets)
    counts: list[float] = []
    for bound in bounds:  # a scrape in the middle of an update can leave a count below the one before
        counts.append(max(buckets[bound], counts[-1] if counts else 0.0))
    if len(bounds) < 2 or not math.isinf(bounds[-1]) or counts[-1] <= 0:
        return None
    rank = q * counts[-1]
    at = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(bounds) - 1)
    if at == len(bounds) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[at - 1], counts[at - 1]) if at else (0.0, 0.0)
    return start + (bounds[at] - start) * (rank - below) / (counts[at] - below)
