"""What the API may ask for, without knowing how it is done: the seam between HTTP and people's actions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from watchdog.model.base import Value
from watchdog.model.deploy import Revision
from watchdog.model.incident import Pause
from watchdog.model.rollback import Draft, Objection
from watchdog.model.watch import Watch


class Preview(Protocol):
    """What a rollback would do now, and what the guard would say."""

    @property
    def from_revision(self) -> str:
        """What runs."""
        ...

    @property
    def to_revision(self) -> str | None:
        """What would be brought back; None: there is nothing to bring back."""
        ...

    @property
    def draft(self) -> Draft | None:
        """What would be touched, and how."""
        ...

    @property
    def objections(self) -> tuple[Objection, ...]:
        """The guard's; empty: it would be done."""
        ...


class Actions(Protocol):
    """What a person may order: the same code, with the same guard, as the command line's.

    All raise UnknownName, Refused when it can't be done, Conflict when the daemon wrote the same watch in between, and
    Unavailable when the platform or the store does not answer.
    """

    def rollback(self, target: str, to: str | None, by: str) -> Watch:
        """Store the order; the engine carries it out."""
        ...

    def preview(self, target: str, to: str | None, by: str) -> Preview:
        """What it would do. Changes nothing."""
        ...

    def pause(self, target: str, duration: timedelta | None, reason: str, by: str) -> Pause:
        """No automatic rollbacks, for that long or until resumed."""
        ...

    def resume(self, target: str, by: str) -> bool:
        """End the pause; False when there was none."""
        ...

    def approve(self, target: str, revision: str | None, by: str) -> Revision:
        """Accept a revision as known good: the one named, the held one, or the running one."""
        ...


class ObjectionView(Value):
    """One "no" of the guard."""

    name: str
    reason: str


class RollbackAnswer(Value):
    """A rollback that was ordered, or (dry run) what it would do."""

    target: str
    dry_run: bool
    message: str
    from_revision: str
    to_revision: str | None = None
    """null in an order that leaves the choice to the ledger."""
    watch: str | None = None
    incident: str | None = None
    """Where to follow it: GET /api/v1/incidents/{incident}; null for a dry run."""
    changes: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    objections: tuple[ObjectionView, ...] = ()


class PauseAnswer(Value):
    """The pause that now is, or the end of one."""

    target: str
    paused: bool
    message: str
    until: datetime | None = None


class ApproveAnswer(Value):
    """What is known good now."""

    target: str
    revision: str
    message: str
