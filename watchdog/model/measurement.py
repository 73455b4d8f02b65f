"""Numbers, and what was made of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from watchdog.model.base import Value


class Verdict(StrEnum):
    """What one measurement means. `inconclusive` (no data) and `error` (the source failed) never count as failures."""

    passed = "pass"
    failed = "fail"
    inconclusive = "inconclusive"
    error = "error"


class Sample(Value):
    """One number, with the labels that name its series."""

    value: float
    labels: dict[str, str] = {}


class Observation(Value):
    """What a source or probe answered: samples, or why it could not answer. Never both."""

    query: str
    """What was asked, after templates: the PromQL, URL or argument list."""
    samples: tuple[Sample, ...] = ()
    error: str | None = None
    took: timedelta = timedelta(0)


class Outcome(Value):
    """A verdict and its reason, with the numbers in it."""

    verdict: Verdict
    reason: str


class Measurement(Value):
    """One evaluation of one rule, as stored."""

    watch: str
    rule: str
    at: datetime
    query: str
    samples: tuple[Sample, ...] = ()
    """At most `KEPT_SAMPLES`, failing ones first; `series` says how many there were."""
    series: int = 0
    verdict: Verdict
    reason: str
    took: timedelta = timedelta(0)
    phase: str = "watch"
    """`watch` or `verification`."""


KEPT_SAMPLES = 20
