"""Events and incidents in words: pure functions from what happened to what people and machines are told.

The `detail` of each kind is documented, with an example, in docs/events.md. Never a secret in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from watchdog.model.base import format_duration
from watchdog.model.deploy import Revision
from watchdog.model.incident import Event, EventKind, Incident, Pause
from watchdog.model.rollback import ActResult, Draft, Objection, Objections, Plan
from watchdog.model.rule import Rule
from watchdog.model.target import Target
from watchdog.model.watch import Watch


def event(kind: EventKind, watch: Watch, now: datetime, message: str, **detail: Any) -> Event:
    """One line of the watch's timeline."""
    return Event(
        id=f"evt_{uuid4().hex}",
        kind=kind,
        at=now,
        target=watch.target,
        environment=watch.environment,
        watch=watch.id,
        incident=watch.incident,
        revision=watch.revision,
        message=message,
        detail={key: value for key, value in detail.items() if value is not None},
    )


def note(watch: Watch, now: datetime, message: str) -> Event:
    """A line for the timeline only."""
    return event(EventKind.note, watch, now, message)


def deploy_seen(watch: Watch, now: datetime, summary: str) -> Event:
    """A new revision arrived."""
    after = f" after {watch.previous}" if watch.previous else ""
    if watch.previous == watch.revision:
        after = " once more"
    what = f": {summary}" if summary else ""
    return event(
        EventKind.deploy_seen,
        watch,
        now,
        f"{watch.target} {watch.revision} arrived{after}{what}",
        previous=watch.previous,
        summary=summary,
    )


def superseded(watch: Watch, now: datetime, reason: str, by: str | None) -> Event:
    """A newer deploy took over, or the target was taken down."""
    message = f"the watch of {watch.revision} ended: {reason}"
    return event(EventKind.watch_superseded, watch, now, message, by_revision=by, reason=reason)


def passed(watch: Watch, now: datetime, reason: str) -> Event:
    """The watch passed."""
    measured = sum(p.measured for p in watch.progress.values())
    seconds = (now - watch.opened_at).total_seconds()
    message = f"{watch.target} {watch.revision} is known good: {reason}"
    return event(EventKind.watch_passed, watch, now, message, seconds=seconds, measurements=measured)


def blind(watch: Watch, now: datetime, rule: Rule) -> Event:
    """A rule's source failed so often that people must know."""
    progress = watch.progress[rule.name]
    message = (
        f"cannot judge {rule.name} of {watch.target} {watch.revision}: "
        f"{progress.consecutive_errors} errors in a row, the last: {progress.last_reason}"
    )
    return event(EventKind.watch_blind, watch, now, message, rule=rule.name, reason=progress.last_reason)


def extended(watch: Watch, now: datetime, reason: str) -> Event:
    """The watch is longer, because it could not see."""
    message = f"the watch of {watch.revision} is {format_duration(watch.blind)} longer: {reason}"
    return event(
        EventKind.watch_extended, watch, now, message, blind_seconds=watch.blind.total_seconds(), reason=reason
    )


def short_blindness(watch: Watch, now: datetime, reason: str) -> Event:
    """As `extended`, for the timeline only."""
    return note(watch, now, f"the watch of {watch.revision} is {format_duration(watch.blind)} longer: {reason}")


def tripped(watch: Watch, now: datetime, rule: Rule, query: str) -> Event:
    """A rule tripped, whatever follows from it."""
    progress = watch.progress[rule.name]
    return event(
        EventKind.rule_tripped,
        watch,
        now,
        f"{rule.name} tripped on {watch.target} {watch.revision}: {progress.trip_reason}",
        rule=rule.name,
        summary=rule.summary,
        trigger=rule.trigger.value,
        action=rule.action.value,
        mode=rule.mode.value,
        reason=progress.trip_reason,
        query=query,
        seconds_after_deploy=(now - watch.opened_at).total_seconds(),
    )


def would_roll_back(watch: Watch, now: datetime, to: str | None, draft: Draft | None) -> Event:
    """Dry run: what would have been done."""
    reason = watch.decision.reason if watch.decision else ""
    what = f"would roll {watch.target} back from {watch.revision} to {to or 'no known-good revision'}"
    return event(
        EventKind.would_roll_back,
        watch,
        now,
        f"dry run: {what}: {reason}",
        would_roll_back_to=to,
        rules=list(watch.decision.rules) if watch.decision else [],
        reason=reason,
        changes=list(draft.changes) if draft else [],
        warnings=list(draft.warnings) if draft else [],
        objection="dry_run",
    )


def rollback_started(watch: Watch, now: datetime, plan: Plan) -> Event:
    """The act begins; the plan is stored."""
    reason = watch.decision.reason if watch.decision else ""
    return event(
        EventKind.rollback_started,
        watch,
        now,
        f"rolling {watch.target} back from {plan.from_revision} to {plan.to_revision}: {reason}",
        from_revision=plan.from_revision,
        to_revision=plan.to_revision,
        reason=reason,
        changes=list(plan.draft.changes),
        warnings=list(plan.draft.warnings),
        automatic=plan.automatic,
        by=plan.by,
    )


def rollback_seen(target: Target, revision: Revision, left: str | None, now: datetime) -> Event:
    """Somebody else rolled back: it is taken note of, and not judged as a deploy."""
    from_ = left or "nothing seen"
    standing = "which is known good" if revision.known_good else "which is not known good"
    return Event(
        id=f"evt_{uuid4().hex}",
        kind=EventKind.rollback_seen,
        at=now,
        target=target.name,
        environment=target.environment,
        revision=revision.id,
        message=f"someone rolled {target.name} back from {from_} to {revision.same_as}, {standing}",
        detail={"from_revision": left, "to_revision": revision.same_as, "known_good": revision.known_good},
    )


def rollback_finished(watch: Watch, now: datetime, plan: Plan, result: ActResult) -> Event:
    """The act ended, well or not; the proof comes next."""
    how = "done" if result.ok else "FAILED"
    took = format_duration(result.took)
    return event(
        EventKind.rollback_finished,
        watch,
        now,
        f"rollback of {watch.target} to {plan.to_revision} {how} in {took}: {result.reason}",
        from_revision=plan.from_revision,
        to_revision=plan.to_revision,
        ok=result.ok,
        reason=result.reason,
        seconds=result.took.total_seconds(),
    )


def ended(kind: EventKind, watch: Watch, now: datetime, reason: str, detected_at: datetime | None) -> Event:
    """`incident.recovered` or `incident.failed`: how the rollback turned out."""
    plan = watch.plan
    on = f" on {plan.to_revision}" if plan else ""
    word = f"recovered{on}" if kind is EventKind.recovered else f"did NOT recover{on}, a person is needed"
    return event(
        kind,
        watch,
        now,
        f"{watch.target} {word}: {reason}",
        rules=list(watch.decision.rules) if watch.decision else [],
        reason=reason,
        from_revision=plan.from_revision if plan else watch.revision,
        to_revision=plan.to_revision if plan else None,
        seconds_to_detect=(detected_at - watch.opened_at).total_seconds() if detected_at else None,
        seconds_to_recover=(now - watch.opened_at).total_seconds(),
        verification=list(watch.verification.lines) if watch.verification else [],
    )


def blocked(watch: Watch, now: datetime, objections: Sequence[Objection]) -> Event:
    """The guard said no."""
    first = objections[0]
    return event(
        EventKind.blocked,
        watch,
        now,
        f"{watch.target} {watch.revision} should be rolled back, but is not ({first.name}): {first.reason}",
        objection=first.name.value,
        objections=[{"name": o.name.value, "reason": o.reason} for o in objections],
        reason=watch.decision.reason if watch.decision else "",
        rules=list(watch.decision.rules) if watch.decision else [],
    )


def held(watch: Watch, now: datetime, reason: str, expires_at: datetime) -> Event:
    """A person decides."""
    back = f"watchdog rollback {watch.target}"
    if watch.objection is not None and watch.objection.name is Objections.no_safe_revision:
        back += " --to REVISION"
    message = (
        f"{watch.target} {watch.revision} is held for a person: {reason}. "
        f"Approve it with `watchdog approve {watch.target}`, or roll back with `{back}`"
    )
    rules = list(watch.decision.rules) if watch.decision else []
    return event(EventKind.held, watch, now, message, reason=reason, rules=rules, expires_at=expires_at.isoformat())


def hold_ended(watch: Watch, now: datetime, outcome: str, by: str | None = None) -> Event:
    """`approved`, `rejected` or `expired`."""
    who = f" by {by}" if by else ""
    message = f"the hold of {watch.target} {watch.revision} ended: {outcome}{who}"
    return event(EventKind.hold_ended, watch, now, message, outcome=outcome, by=by)


def pause_event(kind: EventKind, pause: Pause, environment: str, now: datetime) -> Event:
    """`target.paused` or `target.resumed`."""
    until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else ""
    did = f"paused{until}: {pause.reason}" if kind is EventKind.paused else "resumed"
    return Event(
        id=f"evt_{uuid4().hex}",
        kind=kind,
        at=now,
        target=pause.target,
        environment=environment,
        message=f"{pause.by} {did} ({pause.target})",
        detail={"by": pause.by, "reason": pause.reason, "until": pause.until.isoformat() if pause.until else None},
    )


def incident_of(watch: Watch, now: datetime, headline: str, before: Incident | None) -> Incident:
    """The incident of a watch that did not simply pass, as it stands now. `before`: as it stood."""
    closed = not watch.state.open
    return Incident(
        id=watch.incident or incident_id(watch),
        watch=watch.id,
        target=watch.target,
        environment=watch.environment,
        revision=watch.revision,
        opened_at=before.opened_at if before else now,
        closed_at=now if closed else None,
        state=watch.state,
        headline=headline,
        rules=watch.decision.rules if watch.decision else (),
    )


def incident_id(watch: Watch) -> str:
    """One watch has at most one incident: its id follows from the watch's."""
    return "inc-" + watch.id.removeprefix("w-")[:10]
