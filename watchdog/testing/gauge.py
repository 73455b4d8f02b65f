"""A source in memory: each query answers what a test put there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from watchdog.model.measurement import Observation, Sample
from watchdog.model.rule import Measure, PrometheusMeasure


class FakeGauge:
    """Answers by query; a query it does not know has no series. Set `error` for a source that fails."""

    def __init__(self) -> None:
        self.values: dict[str, float | Sequence[float]] = {}
        self.error: str | None = None
        self.asked: list[tuple[datetime, str]] = []

    def measure(self, measure: Measure, now: datetime) -> Observation:
        """What was put there."""
        query = measure.query if isinstance(measure, PrometheusMeasure) else str(measure)
        self.asked.append((now, query))
        if self.error is not None:
            return Observation(query=query, error=self.error)
        found = self.values.get(query, ())
        values = [found] if isinstance(found, int | float) else list(found)
        samples = tuple(Sample(value=v, labels={"series": str(i)}) for i, v in enumerate(values))
        return Observation(query=query, samples=samples)

    def check(self, measure: Measure) -> Sequence[str]:
        """Nothing is ever wrong."""
        return ()


NAN = math.nan
