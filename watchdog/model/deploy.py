"""What a platform says: instances, exits, the rollout, and revisions as the ledger keeps them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from watchdog.model.base import Value


class Phase(StrEnum):
    """How far a rollout is, in the platform's eyes."""

    arriving = "arriving"
    complete = "complete"
    failed = "failed"


class Rollout(Value):
    """The platform's own word on the deploy, with its reason (`service migrate exited with code 3`)."""

    phase: Phase
    reason: str = ""


class Instance(Value):
    """One container or process of the target."""

    id: str
    service: str
    name: str
    image: str = ""
    """Image id (`sha256:…`), not a tag."""
    state: Literal["created", "running", "restarting", "exited", "paused", "dead"] = "running"
    health: Literal["none", "starting", "healthy", "unhealthy"] = "none"
    exit_code: int | None = None
    restarts: int = 0
    one_shot: bool = False
    ended_abnormally: bool = False
    """It is not running, and nobody ordered that."""
    started_at: datetime | None = None


class Exit(Value):
    """One abnormal end of an instance. Ends that a person, a scale-down or the rollout ordered are not here."""

    instance: str
    service: str
    at: datetime
    exit_code: int | None = None
    oom_killed: bool = False
    reason: str = ""


class Snapshot(Value):
    """All that is true of one target at one moment, as read, not remembered."""

    at: datetime
    fingerprint: str
    """Changes exactly when another revision runs; empty when nothing runs at all."""
    name: str | None = None
    """The platform's own name of the revision, where it has one (a Helm revision, a command's answer)."""
    summary: str = ""
    images: dict[str, str] = {}
    """Service → image id."""
    instances: tuple[Instance, ...] = ()
    exits: tuple[Exit, ...] = ()
    """Abnormal exits of the instances that are here now, oldest first, since they were created."""
    rollout: Rollout
    pods: str = ""
    """A regular expression of the new revision's instances, for queries."""
    whole: bool = True
    """False: a glance that knows the fingerprint, the name and the rollout, and nothing of the instances."""
    busy: str = ""
    """Why nothing may be changed now: an operation is under way (`helm upgrade is pending since 12:03:09`)."""
    brought_back: str | None = None
    """Where the platform says that this revision is a rollback: the revision that it brought back."""
    plan: str | None = None
    """Where the platform says so: the id of the watchdog's own plan that made this revision."""


class Revision(Value):
    """One version of a target, as the ledger keeps it."""

    target: str
    id: str
    """The platform's name, or `r1`, `r2`, … where it has none."""
    fingerprint: str
    seen_at: datetime
    summary: str = ""
    images: dict[str, str] = {}
    exact: bool = True
    """Whether `recorded` is proved to be what ran."""
    note: str = ""
    """Why it is not exact, or what a rollback to it cannot bring back."""
    recorded: dict[str, Any] = Field(default={}, repr=False)
    """What the platform needs to bring it back. May hold the service's secrets: never shown, never sent."""
    known_good: bool = False
    known_good_at: datetime | None = None
    known_good_because: Literal["", "watched", "running", "approved", "restored"] = ""
    condemned: bool = False
    """It was rolled back from."""
    same_as: str | None = None
    """For what our own rollback made: the revision it brought back."""


class Recorded(Value):
    """What a platform recorded of a revision: everything but its place in the ledger."""

    summary: str = ""
    images: dict[str, str] = {}
    exact: bool = True
    note: str = ""
    recorded: dict[str, Any] = Field(default={}, repr=False)


class EvidenceItem(Value):
    """One thing kept before a rollback destroys it: a log, an inspect, the events."""

    kind: Literal["logs", "events", "state", "difference", "note"]
    name: str
    text: str
    truncated: bool = False
