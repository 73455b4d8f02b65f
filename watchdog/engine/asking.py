"""Which rules are due, what they are asked with, and what the platform's own snapshot answers.

Pure: the engine does the asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchdog.model.base import format_duration
from watchdog.model.deploy import Phase, Snapshot
from watchdog.model.measurement import Observation, Sample
from watchdog.model.rule import PLATFORM_KINDS, CrashesMeasure, Measure, ReleaseMeasure, Rule
from watchdog.model.target import ComposeSpec, HelmSpec, Target
from watchdog.model.watch import Progress, Watch, WatchState

PROVING = timedelta(seconds=0.5)
"""The shortest time between two measurements of a rule in verification."""


def context(target: Target, revision: str, snapshot: Snapshot | None) -> dict[str, str]:
    """The names a template may use, with their values for this revision."""
    spec = target.spec
    release = spec.project if isinstance(spec, ComposeSpec) else target.name
    release = spec.release if isinstance(spec, HelmSpec) else release
    built_in = {
        "target": target.name,
        "environment": target.environment,
        "namespace": spec.namespace if isinstance(spec, HelmSpec) else release,
        "release": release,
        "revision": revision,
        "pods": snapshot.pods if snapshot else "",
        "service": target.name,
    }
    return built_in | target.vars


def judged_revision(watch: Watch) -> str:
    """The revision that is being measured: in verification, the one that was brought back."""
    return watch.plan.to_revision if watch.state is WatchState.verifying and watch.plan else watch.revision


def asks_platform(rule: Rule) -> bool:
    """Whether the snapshot answers this rule: then it counts from the first moment of the deploy."""
    return rule.measure.kind in PLATFORM_KINDS


def due(rule: Rule, target: Target, watch: Watch, progress: Progress, now: datetime) -> bool:
    """Whether this rule is to be measured now.

    In verification there is no initial delay, and each rule is asked several times within `verify_for`, however seldom
    the watch asks it.
    """
    interval = rule.interval or target.watch.interval
    if watch.state is WatchState.verifying:
        interval = min(interval, max(target.rollback.verify_for / 3, PROVING))
    if progress.last_at is not None and progress.last_at <= now:
        return now - progress.last_at >= interval
    if watch.state is WatchState.verifying or asks_platform(rule):
        return True
    if watch.settled_at is None:
        return False
    delay = rule.initial_delay if rule.initial_delay is not None else target.watch.initial_delay
    return now - watch.settled_at >= delay


def verification_rules(target: Target, watch: Watch) -> tuple[Rule, ...]:
    """The rules a recovery must pass: those that tripped, and every probe."""
    tripped = set(watch.decision.rules) if watch.decision else set()
    return tuple(r for r in target.rules if r.probe or r.name in tripped)


def platform_answer(measure: Measure, snapshot: Snapshot, target: Target, watch: Watch, now: datetime) -> Observation:
    """What a `crashes` or `release` rule reads off the snapshot: one sample per service, or one in all."""
    if isinstance(measure, CrashesMeasure):
        return Observation(query=f"crashes: {measure.count}", samples=tuple(_crashes(measure, snapshot)))
    if not isinstance(measure, ReleaseMeasure):
        raise TypeError(f"{measure.kind} is not answered by a platform")
    if measure.state == "failed":
        bad = snapshot.rollout.phase is Phase.failed
        reason = snapshot.rollout.reason
    elif watch.state is WatchState.verifying:
        bad = snapshot.rollout.phase is not Phase.complete
        reason = snapshot.rollout.reason or f"the rollout is {snapshot.rollout.phase.value}"
    else:
        waited = now - watch.opened_at - watch.blind
        bad = watch.settled_at is None and waited >= target.watch.rollout_timeout
        why = f": {snapshot.rollout.reason}" if snapshot.rollout.reason else ""
        reason = f"not ready after {format_duration(waited)}{why}"
    labels = {"reason": reason} if bad else {}
    return Observation(query=f"release: {measure.state}", samples=(Sample(value=float(bad), labels=labels),))


def _crashes(measure: CrashesMeasure, snapshot: Snapshot) -> Sequence[Sample]:
    services = sorted({i.service for i in snapshot.instances} | {e.service for e in snapshot.exits})
    return [_crash_sample(measure, snapshot, service) for service in services]


def _crash_sample(measure: CrashesMeasure, snapshot: Snapshot, service: str) -> Sample:
    instances = [i for i in snapshot.instances if i.service == service]
    exits = [e for e in snapshot.exits if e.service == service]
    labels = {"service": service}
    if measure.count == "exits":
        count = len(exits)
        if exits and exits[-1].exit_code is not None:
            labels["exit_code"] = str(exits[-1].exit_code)
        if exits and exits[-1].reason:
            labels["reason"] = exits[-1].reason
    elif measure.count == "oom_kills":
        count = sum(e.oom_killed for e in exits)
    elif measure.count == "unhealthy":
        count = sum(i.health == "unhealthy" for i in instances)
    else:
        down = [i for i in instances if i.ended_abnormally and i.state in {"exited", "dead"} and not i.one_shot]
        count = len(down)
        if down and down[0].exit_code is not None:
            labels["exit_code"] = str(down[0].exit_code)
    return Sample(value=float(count), labels=labels)
