"""The guarding of one deploy, from its arrival to its end. The whole of its state is here, and in the store."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from watchdog.model.base import Value
from watchdog.model.comparison import Calibration, Finding
from watchdog.model.measurement import Verdict
from watchdog.model.rollback import Objection, Plan, Verification
from watchdog.model.rule import Mode


class WatchState(StrEnum):
    """See docs/architecture.md for the arrows between them."""

    arriving = "arriving"
    watching = "watching"
    held = "held"
    condemned = "condemned"
    rolling_back = "rolling_back"
    verifying = "verifying"
    passed = "passed"
    superseded = "superseded"
    expired = "expired"
    recovered = "recovered"
    failed = "failed"
    blocked = "blocked"

    @property
    def open(self) -> bool:
        """Whether the engine still has something to do for it."""
        return self in OPEN_STATES


OPEN_STATES = frozenset(
    {
        WatchState.arriving,
        WatchState.watching,
        WatchState.held,
        WatchState.condemned,
        WatchState.rolling_back,
        WatchState.verifying,
    }
)


class DecisionKind(StrEnum):
    """What follows from all verdicts so far."""

    proceed = "continue"
    passed = "pass"
    rollback = "rollback"
    hold = "hold"
    alert = "alert"


class Decision(Value):
    """A decision with its reason, and the rules that made it."""

    kind: DecisionKind
    reason: str
    rules: tuple[str, ...] = ()


class Progress(Value):
    """One rule's measurements so far, folded: enough to say whether it trips, without reading them all again."""

    measured: int = 0
    failures: int = 0
    consecutive_failures: int = 0
    consecutive_errors: int = 0
    failing_since: datetime | None = None
    """The first of the unbroken run of failures that `for` asks about."""
    last: Verdict | None = None
    last_at: datetime | None = None
    last_reason: str = ""
    tripped: bool = False
    """The rule has tripped; an alert or dry-run rule is told once."""
    trip_reason: str = ""
    blind: bool = False
    """`consecutive_errors` was reached, and people were told."""


UNMEASURED = Progress()
"""Where every rule begins. One value for all: a turn asks for it often."""


class Watch(Value):
    """One watch."""

    id: str
    target: str
    environment: str
    platform: str
    revision: str
    fingerprint: str
    previous: str | None = None
    """The revision that ran before."""
    origin: Literal["deploy", "manual"] = "deploy"
    """`manual`: opened by `watchdog rollback`, condemned from the start."""
    requested_revision: str | None = None
    """What a person asked to go back to; None: the newest known good one."""
    requested_by: str = ""
    mode: Mode = Mode.enforce
    state: WatchState = WatchState.arriving
    opened_at: datetime
    changed_at: datetime
    """When the fingerprint last changed: a rollout passes through several."""
    settled_at: datetime | None = None
    """When the rollout finished: the bake time counts from here."""
    seen_at: datetime
    """The last tick that worked on it; a larger gap is blind time."""
    blind: timedelta = timedelta(0)
    """Time in which nothing could be judged: the watch is longer by as much."""
    progress: dict[str, Progress] = {}
    calibrations: dict[str, Calibration] = {}
    """How each `compare` rule is judged in this watch; made at its first look."""
    budget: float = 0.01
    """`false_rollback_budget` when it opened: what all compare rules together may spend."""
    restarts_before: int = 0
    """Restarts that nobody ordered of the version before, in the last hour before the deploy: it is no news then."""
    findings: dict[str, Finding] = {}
    """The latest of each `compare` rule, without its course, and of the crash and probe rules that lend to them: they
    are judged together."""
    decision: Decision | None = None
    plan: Plan | None = None
    objection: Objection | None = None
    verification: Verification | None = None
    verify_progress: dict[str, Progress] = {}
    incident: str | None = None
    condemned_at: datetime | None = None
    """When the decision to roll back was stored."""
    held_until: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str = ""
    version: int = 0
    """Counts writes; a write of an older version is a conflict."""
