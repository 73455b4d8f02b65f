"""What the engine's steps share: the parts, what is known of one target right now, and the one way to write.

Nothing in `Place` is needed after a restart: it holds the latest snapshot, calls under way, and what compare rules have
read so far.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from watchdog.act.base import Actor
from watchdog.engine.held import Held
from watchdog.jobs import Jobs
from watchdog.model.deploy import EvidenceItem, Revision, Snapshot
from watchdog.model.incident import Bookmark, Event, EventKind, Incident, Notice
from watchdog.model.measurement import Measurement
from watchdog.model.rollback import Draft, Rollback
from watchdog.model.rule import CompareMeasure
from watchdog.model.target import Target
from watchdog.model.watch import Watch
from watchdog.observe.base import Gauge, History, Platform
from watchdog.roster import Roster
from watchdog.store.base import Step, Store

log = logging.getLogger(__name__)

LOUD = frozenset(
    {
        EventKind.watch_blind,
        EventKind.rule_tripped,
        EventKind.would_roll_back,
        EventKind.rollback_started,
        EventKind.failed,
        EventKind.blocked,
        EventKind.held,
    }
)
"""What the log says as a warning."""

Signature = tuple[object, ...]


@dataclass(frozen=True)
class Parts:
    """Everything the engine is made from. `app.py` fills it in; the tests fill it with fakes."""

    roster: Roster
    platforms: Mapping[str, Platform]
    """By the kind of the target's spec."""
    actors: Mapping[str, Actor]
    gauges: Mapping[str, Gauge]
    """By the kind of the rule's measure."""
    store: Store
    jobs: Jobs
    owner: str
    """Names this process in claims."""
    notices: Callable[[Event], tuple[Notice, ...]]
    """The outbox lines of an event."""
    history: Callable[[str, CompareMeasure], History | None] = lambda *_: None
    """What a `compare` rule of a target asks; None: no such source is configured."""
    told: Callable[[Step], None] = lambda _: None
    """Called after each step is stored: metrics."""
    sweep: timedelta = timedelta(seconds=30)
    """How often a target with nothing going on is looked at even when its platform said nothing, unless that
    resyncs."""


@dataclass
class Prepared:
    """What was worked out for a condemned watch, before the guard is asked."""

    running: Snapshot
    candidate: Revision | None
    draft: Draft | None
    cannot: str | None
    evidence: tuple[EvidenceItem, ...]


@dataclass(slots=True)
class Place:
    """One target, as this process sees it."""

    target: Target
    snapshot: Snapshot | None = None
    error: str | None = None
    """Why the last snapshot failed."""
    looked_at: datetime | None = None
    woken: bool = True
    looking: bool = False
    """A look is under way."""
    claimed_until: datetime | None = None
    bookmark: Bookmark | None = None
    bookmark_read: bool = False
    judged: dict[str, Signature] = field(default_factory=dict)
    """Watch id → what of the snapshot the crash rules last judged."""
    asked_at: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    held: dict[tuple[str, str], Held] = field(default_factory=dict)
    """By watch id and compare rule: what its looks so far came to."""
    recorded: str = ""
    """The fingerprint and phase whose recording is done, or was last tried."""
    record_again_at: datetime | None = None
    """When a recording that failed is tried again."""
    first_looked_at: datetime | None = None
    """When this process first saw the target running, where nothing is known of it yet."""
    complained: tuple[str, datetime] | None = None
    """The last unexpected error of this target's turn: the same one is reported once a minute."""
    ends: tuple[str, tuple[datetime, ...]] = ("", ())
    """A fingerprint, and when its instances ended though nobody ordered it: of the last look that was no glance."""
    rests: bool = False
    """Nothing went on when it was last looked at, and what ran then is in the store."""

    def rest(self) -> None:
        """Keep no copy of what the store and the next look tell: a pattern finds thousands of releases."""
        self.rests = True
        self.snapshot = self.bookmark = None
        self.bookmark_read = False

    @property
    def close_up(self) -> Snapshot | None:
        """The latest snapshot, unless that was only a glance: what instances and rollouts are judged by."""
        return self.snapshot if self.snapshot is not None and self.snapshot.whole else None


@dataclass(frozen=True)
class Scene:
    """One target at one moment, with the means to go on."""

    parts: Parts
    place: Place
    now: datetime

    @property
    def target(self) -> Target:
        """The target."""
        return self.place.target

    @property
    def platform(self) -> Platform:
        """What reads it."""
        return self.parts.platforms[self.target.spec.kind]

    @property
    def actor(self) -> Actor:
        """What may change it."""
        return self.parts.actors[self.target.spec.kind]

    def save(
        self,
        watch: Watch,
        *events: Event,
        also: Sequence[Watch] = (),
        revisions: Sequence[Revision] = (),
        bookmark: Bookmark | None = None,
        measurements: Sequence[Measurement] = (),
        evidence: Sequence[EvidenceItem] = (),
        incident: Incident | None = None,
        rollback: Rollback | None = None,
    ) -> Watch:
        """Store the watch and all that belongs to this step, at once. Returns the watch as stored.

        Raises Conflict, StoreUnavailable.
        """
        stored = watch.model_copy(update={"version": watch.version + 1, "seen_at": self.now})
        step = Step(
            watches=(stored, *(w.model_copy(update={"version": w.version + 1}) for w in also)),
            revisions=tuple(revisions),
            bookmark=bookmark,
            measurements=tuple(measurements),
            events=events,
            evidence=tuple((watch.id, item) for item in evidence),
            incidents=() if incident is None else (incident,),
            rollback=rollback,
            notices=tuple(n for e in events for n in self.parts.notices(e)),
        )
        self.write(step)
        return stored

    def write(self, step: Step) -> None:
        """Store a step, and remember its bookmark."""
        self.parts.store.save(step)
        for event in step.events:
            log.log(logging.WARNING if event.kind in LOUD else logging.INFO, "%s", event.message)
        if step.bookmark is not None:
            self.place.bookmark = step.bookmark
        self.parts.told(step)


def new_watch_id() -> str:
    """A new watch's id."""
    return "w-" + uuid4().hex[:16]
