"""The plan of a rollback, what became of it, and the proof."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from watchdog.model.base import Value


class Objections(StrEnum):
    """The names of the guard's answers. They are in metrics, webhooks and docs: never renamed."""

    paused = "paused"
    dry_run = "dry_run"
    cooldown = "cooldown"
    max_per_day = "max_per_day"
    no_safe_revision = "no_safe_revision"
    newer_deploy = "newer_deploy"
    already_rolled_back = "already_rolled_back"
    another_owner = "another_owner"
    cannot_plan = "cannot_plan"
    migration_ran = "migration_ran"
    gitops_owner = "gitops_owner"
    data_at_risk = "data_at_risk"


class Objection(Value):
    """One "no" of the guard."""

    name: Objections
    reason: str
    hold: bool = False
    """A person is to decide, within `watch.hold_expires`; else the watch ends here."""


class Draft(Value):
    """What an actor would do, worked out without changing anything."""

    changes: tuple[str, ...] = ()
    """The services (or other parts) that would be touched."""
    expected: dict[str, str] = {}
    """What must run afterwards: service → image id; platforms without images: `revision` → its name."""
    commands: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    """What the rollback will not bring back, and anything else to know before it acts."""
    objections: tuple[Objection, ...] = ()
    """Why the watchdog does not do this by itself, by the target's policy. A person may; each is among the warnings
    too."""


class Plan(Value):
    """Written before anything is touched: the write-ahead intent."""

    id: str
    target: str
    watch: str
    from_revision: str
    from_fingerprint: str
    to_revision: str
    draft: Draft
    made_at: datetime
    automatic: bool = True
    by: str = "watchdog"


class ActResult(Value):
    """What the platform's program answered."""

    ok: bool
    reason: str
    output: str = ""
    took: timedelta = timedelta(0)


class Rollback(Value):
    """One plan that was carried out, or begun. The ledger that cooldown and max_per_day are read from."""

    id: str
    """The plan's id: one plan, one rollback."""
    target: str
    watch: str
    from_revision: str
    to_revision: str
    automatic: bool
    started_at: datetime
    attempts: int = 1
    """2 when a restart of the watchdog had to finish what was begun."""
    finished_at: datetime | None = None
    result: ActResult | None = None


class Verification(Value):
    """The proof after a rollback, as far as it has come."""

    began_at: datetime
    acted: ActResult | None = None
    """What the act answered; a failed act whose result is not as planned ends the proof at once."""
    restored: bool = False
    """What runs has been seen to be as planned: any other revision after that is somebody's deploy."""
    passing_since: datetime | None = None
    unopposed_since: datetime | None = None
    """Since when nothing speaks against the recovery: as planned, probes pass, but a rule may have no data."""
    lines: tuple[str, ...] = ()
    """The latest state of each check, in words."""
