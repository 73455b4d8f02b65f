"""What the CLI's `--output json` and the API both show: stable, documented fields, made from stored values.

Pure. Nothing of `Revision.recorded` is ever here. Times are ISO 8601 in UTC, durations are numbers of seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from watchdog.model.base import Value
from watchdog.model.deploy import Revision
from watchdog.model.incident import Incident
from watchdog.model.rollback import Objection
from watchdog.model.target import Target
from watchdog.model.watch import Watch, WatchState


class RuleState(Value):
    """How far one rule is in a watch."""

    rule: str
    last: str = ""
    """The latest verdict: pass, fail, inconclusive, error; empty before the first measurement."""
    reason: str = ""
    measured: int
    failures: int
    tripped: bool
    blind: bool


class WatchView(Value):
    """One watch, as far as it has come."""

    id: str
    revision: str
    previous: str | None = None
    origin: str
    mode: str
    state: str
    opened_at: datetime
    settled_at: datetime | None = None
    passes_at: datetime | None = None
    """When it passes if nothing trips; null until the rollout settled, and once it is decided."""
    ended_at: datetime | None = None
    blind_seconds: float
    decision: str | None = None
    reason: str = ""
    """Why it is as it is, in words."""
    objection: str | None = None
    incident: str | None = None
    rules: tuple[RuleState, ...] = ()


class RevisionView(Value):
    """One version of a target."""

    id: str
    seen_at: datetime
    summary: str = ""
    running: bool
    known_good: bool
    known_good_at: datetime | None = None
    known_good_because: str = ""
    condemned: bool
    exact: bool
    note: str = ""
    images: dict[str, str] = {}
    same_as: str | None = None
    watch: str | None = None
    watch_state: str | None = None
    incident: str | None = None
    kept: bool | None = None
    """Whether the platform still has it (Helm's history); null: the platform keeps none, or was not asked."""


class HistoryView(Value):
    """`watchdog history TARGET`, newest first."""

    target: str
    environment: str
    revisions: tuple[RevisionView, ...]
    unseen: tuple[str, ...] = ()
    """Revisions that the platform has and the watchdog never saw running, newest first."""


class IncidentView(Value):
    """One line of `watchdog incidents`."""

    id: str
    target: str
    environment: str
    revision: str
    watch: str
    state: str
    open: bool
    opened_at: datetime
    closed_at: datetime | None = None
    seconds: float | None = Field(default=None, description="From opening to closing; null while it is open.")
    headline: str
    rules: tuple[str, ...] = ()


class IncidentsView(Value):
    """`watchdog incidents`, newest first."""

    incidents: tuple[IncidentView, ...]


def history_view(
    target: Target,
    revisions: Sequence[Revision],
    watches: Sequence[Watch],
    running: str | None,
    kept: Sequence[str] | None = None,
) -> HistoryView:
    """The target's ledger. `running` is the bookmark's revision; the newest watch of a revision is shown with it.
    `kept`: what the platform itself has, newest first; None: it was not asked."""
    latest: dict[str, Watch] = {}
    for watch in watches:
        if watch.revision not in latest or watch.opened_at > latest[watch.revision].opened_at:
            latest[watch.revision] = watch
    return HistoryView(
        target=target.name,
        environment=target.environment,
        revisions=tuple(revision_view(r, latest.get(r.id), running, kept) for r in revisions),
        unseen=tuple(name for name in kept or () if all(r.id != name for r in revisions)),
    )


def revision_view(
    revision: Revision, watch: Watch | None, running: str | None, kept: Sequence[str] | None = None
) -> RevisionView:
    """One revision, without what was recorded of it."""
    return RevisionView(
        **revision.model_dump(include=set(RevisionView.model_fields)),
        running=revision.id == running,
        watch=watch.id if watch else None,
        watch_state=watch.state.value if watch else None,
        incident=watch.incident if watch else None,
        kept=None if kept is None else revision.id in kept,
    )


def incidents_view(incidents: Sequence[Incident]) -> IncidentsView:
    """The incidents in the order given."""
    return IncidentsView(incidents=tuple(incident_view(incident) for incident in incidents))


def incident_view(incident: Incident) -> IncidentView:
    """One incident."""
    closed = incident.closed_at
    return IncidentView(
        **incident.model_dump(include=set(IncidentView.model_fields)),
        open=closed is None,
        seconds=(closed - incident.opened_at).total_seconds() if closed else None,
    )


def watch_view(watch: Watch, target: Target | None = None) -> WatchView:
    """One watch. With its target, also when it passes, and its rules in the config's order."""
    order = {rule.name: position for position, rule in enumerate(target.rules)} if target else {}
    names = sorted(watch.progress, key=lambda name: (order.get(name, len(order)), name))
    return WatchView(
        id=watch.id,
        revision=watch.revision,
        previous=watch.previous,
        origin=watch.origin,
        mode=watch.mode.value,
        state=watch.state.value,
        opened_at=watch.opened_at,
        settled_at=watch.settled_at,
        passes_at=_passes_at(watch, target),
        ended_at=watch.ended_at,
        blind_seconds=watch.blind.total_seconds(),
        decision=watch.decision.kind.value if watch.decision else None,
        reason=_why(watch),
        objection=watch.objection.name.value if watch.objection else None,
        incident=watch.incident,
        rules=tuple(_rule_state(watch, name) for name in names),
    )


def objection_text(objection: Objection) -> str:
    """`cooldown: the last automatic rollback was 12m ago, less than 30m`."""
    return f"{objection.name.value}: {objection.reason}"


def _passes_at(watch: Watch, target: Target | None) -> datetime | None:
    if target is None or watch.settled_at is None or watch.state is not WatchState.watching:
        return None
    return watch.settled_at + target.watch.bake_time + watch.blind


def _rule_state(watch: Watch, name: str) -> RuleState:
    progress = watch.progress[name]
    return RuleState(
        rule=name,
        last=progress.last.value if progress.last else "",
        reason=progress.trip_reason or progress.last_reason,
        measured=progress.measured,
        failures=progress.failures,
        tripped=progress.tripped,
        blind=progress.blind,
    )


def _why(watch: Watch) -> str:
    if watch.end_reason:
        return watch.end_reason
    if watch.objection:
        return objection_text(watch.objection)
    return watch.decision.reason if watch.decision else ""
