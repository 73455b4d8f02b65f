"""What people are told: events, incidents, pauses."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from watchdog.model.base import Value
from watchdog.model.watch import WatchState


class EventKind(StrEnum):
    """The types of a webhook's `type` field. Documented in docs/events.md with an example each; never renamed."""

    deploy_seen = "deploy.seen"
    watch_passed = "watch.passed"
    watch_superseded = "watch.superseded"
    watch_extended = "watch.extended"
    watch_blind = "watch.blind"
    rule_tripped = "rule.tripped"
    would_roll_back = "rollback.dry_run"
    rollback_started = "rollback.started"
    rollback_finished = "rollback.finished"
    rollback_seen = "rollback.seen"
    recovered = "incident.recovered"
    failed = "incident.failed"
    blocked = "incident.blocked"
    held = "incident.held"
    hold_ended = "incident.hold_ended"
    paused = "target.paused"
    resumed = "target.resumed"
    note = "note"
    """Timeline only: never sent to receivers."""


class Event(Value):
    """One line of a timeline; all but notes are sent to the target's receivers, once, under this id."""

    id: str
    kind: EventKind
    at: datetime
    target: str
    environment: str
    watch: str | None = None
    incident: str | None = None
    revision: str | None = None
    message: str
    """One plain sentence with the numbers in it."""
    detail: dict[str, Any] = {}
    """Fields by kind, as docs/events.md lists them. Never secrets."""


class Incident(Value):
    """The record of a watch that did not simply pass. Its timeline, measurements and evidence are stored by watch."""

    id: str
    watch: str
    target: str
    environment: str
    revision: str
    opened_at: datetime
    closed_at: datetime | None = None
    state: WatchState
    headline: str
    rules: tuple[str, ...] = ()


class Pause(Value):
    """A person's word that nothing may be rolled back automatically."""

    target: str
    since: datetime
    until: datetime | None = None
    reason: str
    by: str


class Notice(Value):
    """One event on its way to one receiver: a line of the outbox."""

    id: str
    """`EVENT/RECEIVER`: storing it twice is storing it once."""
    event: Event
    receiver: str
    created_at: datetime
    next_at: datetime
    attempts: int = 0
    last_error: str = ""


class Bookmark(Value):
    """What the daemon last knew of a target."""

    target: str
    revision: str
    fingerprint: str
    seen_at: datetime
