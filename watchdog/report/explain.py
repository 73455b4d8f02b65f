"""Everything about one incident, in order, from the store alone: what `watchdog explain` and the API show.

Pure. Each query, sample, threshold, verdict and reason is here; nothing of `Revision.recorded` is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watchdog.model.base import Value, format_duration
from watchdog.model.deploy import EvidenceItem, Revision
from watchdog.model.incident import Event, Incident
from watchdog.model.measurement import Measurement
from watchdog.model.rollback import Plan, Rollback, Verification
from watchdog.model.rule import Rule
from watchdog.model.watch import Watch
from watchdog.report.comparison import ComparisonView, comparison_view
from watchdog.report.plain import JsonNumber, number, plain
from watchdog.report.views import IncidentView, RevisionView, WatchView, incident_view, revision_view, watch_view


class TimelineLine(Value):
    """One thing that happened."""

    at: datetime
    seconds: float
    """Since the watch opened."""
    kind: str
    message: str
    detail: dict[str, Any] = {}


class SampleView(Value):
    """One number, and the labels of its series."""

    value: JsonNumber
    labels: dict[str, str] = {}


class MeasurementView(Value):
    """One evaluation of one rule."""

    at: datetime
    seconds: float
    """Since the watch opened."""
    phase: str
    """`watch` or `verification`."""
    verdict: str
    reason: str
    query: str
    samples: tuple[SampleView, ...] = ()
    series: int
    took_seconds: float


class RuleStory(Value):
    """One rule, and all its measurements in order."""

    rule: str
    trigger: str | None = None
    """This and what follows to `mode` come from the config; null when it no longer has the rule."""
    summary: str = ""
    source: str | None = None
    fail_when: str | None = None
    pass_when: str | None = None
    trips: str | None = None
    """How often it must fail: `failing for 45s`, `more than 2 failures`, `3 failures in a row`."""
    action: str | None = None
    mode: str | None = None
    tripped: bool
    trip_reason: str = ""
    verdicts: dict[str, int]
    """Verdict → how many, over both phases."""
    comparison: ComparisonView | None = None
    """Of a `compare` rule that had something to compare with."""
    measurements: tuple[MeasurementView, ...] = ()


class PlanView(Value):
    """What was to be done."""

    id: str
    from_revision: str
    to_revision: str
    automatic: bool
    by: str
    made_at: datetime
    changes: tuple[str, ...] = ()
    expected: dict[str, str] = {}
    commands: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()


class RollbackView(Value):
    """What was done."""

    id: str
    started_at: datetime
    finished_at: datetime | None = None
    seconds: float | None = None
    attempts: int
    ok: bool | None = None
    """null: it has not ended, or its end was not seen."""
    reason: str = ""
    output: str = ""


class VerificationView(Value):
    """The proof that it helped, as far as it came."""

    began_at: datetime
    restored: bool = False
    """What runs was seen to be as planned."""
    passing_since: datetime | None = None
    lines: tuple[str, ...] = ()


class EvidenceView(Value):
    """Something kept before the rollback destroyed it."""

    kind: str
    name: str
    text: str
    truncated: bool


class Explanation(Value):
    """`watchdog explain INCIDENT`."""

    incident: IncidentView
    watch: WatchView
    from_revision: RevisionView | None = None
    to_revision: RevisionView | None = None
    decision: str | None = None
    decision_reason: str = ""
    objection: str | None = None
    objection_reason: str = ""
    plan: PlanView | None = None
    rollback: RollbackView | None = None
    verification: VerificationView | None = None
    timeline: tuple[TimelineLine, ...] = ()
    rules: tuple[RuleStory, ...] = ()
    """Those that tripped first, then as the config lists them."""
    evidence: tuple[EvidenceView, ...] = ()


def explain(
    incident: Incident,
    watch: Watch,
    *,
    events: Sequence[Event] = (),
    measurements: Sequence[Measurement] = (),
    evidence: Sequence[EvidenceItem] = (),
    rollback: Rollback | None = None,
    revisions: Sequence[Revision] = (),
    rules: Sequence[Rule] = (),
) -> Explanation:
    """The whole story. `events` and `measurements` are the watch's, in order; `rules` are the target's as configured
    now, for thresholds (a rule that is gone is still told from its measurements)."""
    to_id = watch.plan.to_revision if watch.plan else None
    by_id = {revision.id: revision_view(revision, None, None) for revision in revisions}
    return Explanation(
        incident=incident_view(incident),
        watch=watch_view(watch),
        from_revision=by_id.get(watch.revision),
        to_revision=by_id.get(to_id) if to_id else None,
        decision=watch.decision.kind.value if watch.decision else None,
        decision_reason=watch.decision.reason if watch.decision else "",
        objection=watch.objection.name.value if watch.objection else None,
        objection_reason=watch.objection.reason if watch.objection else "",
        plan=plan_view(watch.plan) if watch.plan else None,
        rollback=_rollback_view(rollback) if rollback else None,
        verification=_verification_view(watch.verification) if watch.verification else None,
        timeline=tuple(_line(event, watch) for event in events),
        rules=_stories(watch, measurements, rules),
        evidence=tuple(EvidenceView(**item.model_dump(include=set(EvidenceView.model_fields))) for item in evidence),
    )


def plan_view(plan: Plan) -> PlanView:
    """A plan, with its draft's parts beside it."""
    return PlanView(
        **plan.model_dump(include=set(PlanView.model_fields)),
        **plan.draft.model_dump(include=set(PlanView.model_fields)),
    )


def trips_when(rule: Rule) -> str:
    """How often the rule must fail before it trips, in words."""
    if rule.for_ is not None:
        return f"failing for {format_duration(rule.for_)}" if rule.for_ else "the first failure"
    if rule.failure_limit is not None:
        return f"more than {rule.failure_limit} failure{'' if rule.failure_limit == 1 else 's'}"
    return "the first failure" if rule.consecutive_failures == 1 else f"{rule.consecutive_failures} failures in a row"


def _rollback_view(rollback: Rollback) -> RollbackView:
    result = rollback.result
    ended = rollback.finished_at
    return RollbackView(
        id=rollback.id,
        started_at=rollback.started_at,
        finished_at=ended,
        seconds=(ended - rollback.started_at).total_seconds() if ended else None,
        attempts=rollback.attempts,
        ok=result.ok if result else None,
        reason=result.reason if result else "",
        output=result.output if result else "",
    )


def _verification_view(verification: Verification) -> VerificationView:
    return VerificationView(**verification.model_dump(include=set(VerificationView.model_fields)))


def _line(event: Event, watch: Watch) -> TimelineLine:
    return TimelineLine(
        at=event.at,
        seconds=(event.at - watch.opened_at).total_seconds(),
        kind=event.kind.value,
        message=event.message,
        detail=plain(event.detail),
    )


def _stories(watch: Watch, measurements: Sequence[Measurement], rules: Sequence[Rule]) -> tuple[RuleStory, ...]:
    made: dict[str, list[Measurement]] = {name: [] for name in watch.progress}
    for measurement in measurements:
        made.setdefault(measurement.rule, []).append(measurement)
    known = {rule.name: rule for rule in rules}
    order = {name: position for position, name in enumerate(known)}
    stories = [_story(name, watch, made[name], known.get(name)) for name in made]
    return tuple(sorted(stories, key=lambda story: (not story.tripped, order.get(story.rule, len(order)), story.rule)))


def _story(name: str, watch: Watch, made: Sequence[Measurement], rule: Rule | None) -> RuleStory:
    progress = watch.progress.get(name)
    verdicts: dict[str, int] = {}
    for measurement in made:
        verdicts[measurement.verdict.value] = verdicts.get(measurement.verdict.value, 0) + 1
    return RuleStory(
        rule=name,
        trigger=rule.trigger.value if rule else None,
        summary=rule.summary if rule else "",
        source=rule.measure.kind if rule else None,
        fail_when=rule.fail_when if rule else None,
        pass_when=rule.pass_when if rule else None,
        trips=trips_when(rule) if rule else None,
        action=rule.action.value if rule else None,
        mode=rule.mode.value if rule else None,
        tripped=progress.tripped if progress else False,
        trip_reason=progress.trip_reason if progress else "",
        verdicts=verdicts,
        comparison=comparison_view(name, watch, made),
        measurements=tuple(_measurement_view(m, watch) for m in made),
    )


def _measurement_view(measurement: Measurement, watch: Watch) -> MeasurementView:
    return MeasurementView(
        at=measurement.at,
        seconds=(measurement.at - watch.opened_at).total_seconds(),
        phase=measurement.phase,
        verdict=measurement.verdict.value,
        reason=measurement.reason,
        query=measurement.query,
        samples=tuple(SampleView(value=number(s.value), labels=s.labels) for s in measurement.samples),
        series=measurement.series,
        took_seconds=measurement.took.total_seconds(),
    )
