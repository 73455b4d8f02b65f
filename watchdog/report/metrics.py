"""The watchdog's own /metrics, on a registry of its own. docs/api.md lists every series.

Labels are bounded by the config (targets, rules) and by our enums. What counts is counted when it happens; gauges say
what is true at the last tick. Counters start at zero with the process, as Prometheus expects.
"""

from __future__ import annotations

import platform
from collections import Counter as Tally
from collections.abc import Iterable
from datetime import datetime, timedelta

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from watchdog import __version__
from watchdog.model.incident import Event, EventKind
from watchdog.model.measurement import Measurement
from watchdog.model.rollback import Objections
from watchdog.model.rule import Rule
from watchdog.model.watch import OPEN_STATES, Watch

PREFIX = "deploy_watchdog"
TICK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
MEASURE_BUCKETS = (0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
HUMAN_BUCKETS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
"""Seconds from a deploy to the decision to roll it back, and to the proof that this helped."""


class Metrics:
    """All series of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # process-wide: they would nearly double the page
        registry = self._registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        Info(f"{PREFIX}_build", "Version of the watchdog and of Python.", registry=registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        self._watches = Gauge(f"{PREFIX}_watches", "Open watches by state.", ["state"], registry=registry)
        for state in sorted(OPEN_STATES):
            self._watches.labels(state.value).set(0)
        self._targets = Gauge(f"{PREFIX}_targets", "Configured targets.", registry=registry)
        self._paused = Gauge(f"{PREFIX}_paused", "1 while the target is paused.", ["target"], registry=registry)
        self._loop(registry)
        self._judgement(registry)
        self._outcomes(registry)
        self._outbox(registry)

    def _loop(self, registry: CollectorRegistry) -> None:
        self._ticks = Histogram(
            f"{PREFIX}_tick_seconds", "How long a turn of the loop took.", buckets=TICK_BUCKETS, registry=registry
        )
        self._last_tick = Gauge(
            f"{PREFIX}_last_tick_timestamp_seconds", "When the loop last turned.", registry=registry
        )
        self._errors = Counter(
            f"{PREFIX}_unexpected_errors", "Errors caught at the loop's edge.", ["where"], registry=registry
        )

    def _judgement(self, registry: CollectorRegistry) -> None:
        self._verdicts = Counter(
            f"{PREFIX}_verdicts", "Measurements by verdict.", ["target", "rule", "verdict"], registry=registry
        )
        self._measure_seconds = Histogram(
            f"{PREFIX}_measurement_seconds",
            "How long a source or probe took to answer.",
            ["source"],
            buckets=MEASURE_BUCKETS,
            registry=registry,
        )
        self._source_errors = Counter(
            f"{PREFIX}_source_errors", "Measurements that a source failed to make.", ["source"], registry=registry
        )

    def _outcomes(self, registry: CollectorRegistry) -> None:
        self._events = Counter(f"{PREFIX}_events", "Events by type.", ["target", "type"], registry=registry)
        self._rollbacks = Counter(
            f"{PREFIX}_rollbacks", "Rollbacks by what came of them.", ["target", "outcome"], registry=registry
        )
        self._objections = Counter(
            f"{PREFIX}_objections", "Rollbacks the guard refused.", ["target", "objection"], registry=registry
        )
        self._detect = Histogram(
            f"{PREFIX}_seconds_to_detect",
            "From the deploy to the decision to roll back.",
            ["target"],
            buckets=HUMAN_BUCKETS,
            registry=registry,
        )
        self._recover = Histogram(
            f"{PREFIX}_seconds_to_recover",
            "From the deploy to the proof that its rollback helped.",
            ["target"],
            buckets=HUMAN_BUCKETS,
            registry=registry,
        )

    def _outbox(self, registry: CollectorRegistry) -> None:
        self._waiting = Gauge(f"{PREFIX}_outbox_waiting", "Notices not yet delivered.", registry=registry)
        self._given_up = Gauge(
            f"{PREFIX}_outbox_given_up", "Notices given up and kept, until pruned.", registry=registry
        )

    def tick(self, took: timedelta, now: datetime) -> None:
        """The loop turned once."""
        self._ticks.observe(took.total_seconds())
        self._last_tick.set(now.timestamp())

    def unexpected_error(self, where: str) -> None:
        """An error was caught at a loop's edge: `engine`, `outbox`, `web`."""
        self._errors.labels(where).inc()

    def observe_watches(self, watches: Iterable[Watch], targets: int) -> None:
        """All watches that are open now, and how many targets are configured."""
        tally = Tally(watch.state for watch in watches)
        for state in OPEN_STATES:
            self._watches.labels(state.value).set(tally[state])
        self._targets.set(targets)

    def observe_paused(self, target: str, paused: bool) -> None:
        """Whether the target is paused now."""
        self._paused.labels(target).set(paused)

    def observe_measurement(self, measurement: Measurement, target: str, rule: Rule) -> None:
        """One rule was measured."""
        self._verdicts.labels(target, measurement.rule, measurement.verdict.value).inc()
        self._measure_seconds.labels(rule.measure.kind).observe(measurement.took.total_seconds())
        if measurement.verdict == "error":
            self._source_errors.labels(rule.measure.kind).inc()

    def observe_event(self, event: Event) -> None:
        """Something happened. Rollbacks, objections and times are read from the event's detail."""
        if event.kind is EventKind.note:
            return
        self._events.labels(event.target, event.kind.value).inc()
        outcome = _ROLLBACK_OUTCOMES.get(event.kind)
        if outcome:
            self._rollbacks.labels(event.target, outcome).inc()
        objection = event.detail.get("objection")
        if objection in _OBJECTIONS:
            self._objections.labels(event.target, str(objection)).inc()
        if event.kind in (EventKind.recovered, EventKind.failed):
            _observe(self._detect, event, "seconds_to_detect")
        if event.kind is EventKind.recovered:
            _observe(self._recover, event, "seconds_to_recover")

    def set_queue(self, waiting: int, given_up: int) -> None:
        """What the store says of its outbox."""
        self._waiting.set(waiting)
        self._given_up.set(given_up)

    def text(self) -> bytes:
        """The page, in Prometheus' text format 0.0.4 (see `CONTENT_TYPE`)."""
        return generate_latest(self._registry)


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_OBJECTIONS = frozenset(name.value for name in Objections)
_ROLLBACK_OUTCOMES = {
    EventKind.rollback_started: "started",
    EventKind.recovered: "recovered",
    EventKind.failed: "failed",
    EventKind.blocked: "blocked",
    EventKind.would_roll_back: "dry_run",
}


def _observe(histogram: Histogram, event: Event, field: str) -> None:
    seconds = event.detail.get(field)
    if isinstance(seconds, int | float):
        histogram.labels(event.target).observe(seconds)
