"""A source with a memory, in memory: counters and gauges that a test writes, as if they had been scraped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from watchdog.errors import Unavailable
from watchdog.model.series import Series


class FakeHistory:
    """Answers by selector or expression; one that it does not know has no series. Set `broken` for a source that is
    down."""

    def __init__(self) -> None:
        self.known: dict[str, list[Series]] = {}
        self.broken: str | None = None
        self.asked: list[tuple[str, datetime, datetime]] = []

    def scraped(self, selector: str, at: datetime, value: float, **labels: str) -> None:
        """One more sample of the series with these labels."""
        found = self.known.setdefault(selector, [])
        series = next((s for s in found if s.labels == labels), None)
        if series is None:
            series = Series.of(labels, [])
            found.append(series)
        series.at.append(at.timestamp())
        series.values.append(value)

    def series(self, selectors: Mapping[str, str], start: datetime, end: datetime) -> Mapping[str, Sequence[Series]]:
        """The samples after `start` up to and with `end`. Raises Unavailable when broken."""
        return {name: self._within(selector, start, end) for name, selector in selectors.items()}

    def evaluate(self, query: str, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        """The samples from `start` on, as they are: a test writes them at the steps. Raises Unavailable when broken."""
        return self._within(query, start - timedelta(microseconds=1), end)

    def _within(self, selector: str, start: datetime, end: datetime) -> list[Series]:
        self.asked.append((selector, start, end))
        if self.broken is not None:
            raise Unavailable(self.broken)
        found = (s.within(start.timestamp(), end.timestamp()) for s in self.known.get(selector, []))
        return [s for s in found if len(s)]
