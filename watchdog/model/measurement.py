"""Numbers, and what was made of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from watchdog.model.base import Value
from watchdog.model.comparison import Calibration, Finding
from watchdog.model.verdict import Verdict as Verdict  # noqa: PLC0414 -- it belongs here too


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
    finding: Finding | None = None
    """What a `compare` rule found, in place of samples; or what a crash or probe rule lends to their evidence."""
    calibration: Calibration | None = None
    """How it was judged, once it is known."""


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
    finding: Finding | None = None
    """Of a `compare` rule, without its course, which the measurements before it make up; or lent to such rules."""


KEPT_SAMPLES = 20
