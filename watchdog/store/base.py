"""What a store promises: every step is one transaction, and a stale writer is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from watchdog.errors import Conflict
from watchdog.model.base import Value
from watchdog.model.deploy import EvidenceItem, Revision
from watchdog.model.incident import Bookmark, Event, Incident, Notice, Pause
from watchdog.model.measurement import Measurement
from watchdog.model.rollback import Rollback
from watchdog.model.series import Scrape
from watchdog.model.watch import Watch

SCRAPES_KEPT = timedelta(hours=48)
"""How long the history of a scraped page is kept: a day's baseline, and the same time yesterday."""

SCRAPES_BYTES = 64 * 1024 * 1024
"""Of one page's history at most."""


class Step(Value):
    """Everything one step of the engine wants to be true afterwards: all of it is stored, or none.

    Watches are written with `version` one higher than what is stored (0 → new). Revisions, incidents, rollbacks and
    bookmarks replace what has the same key; measurements, events and evidence are added; a notice whose id is known
    is left as it is.
    """

    watches: tuple[Watch, ...] = ()
    revisions: tuple[Revision, ...] = ()
    bookmark: Bookmark | None = None
    measurements: tuple[Measurement, ...] = ()
    events: tuple[Event, ...] = ()
    evidence: tuple[tuple[str, EvidenceItem], ...] = ()
    """(watch id, item)"""
    incidents: tuple[Incident, ...] = ()
    rollback: Rollback | None = None
    notices: tuple[Notice, ...] = ()
    pause: Pause | None = None
    resume: str | None = None
    """The target whose pause ends."""


def stale(watch: Watch) -> Conflict:
    """The refusal of a write that does not follow what is stored."""
    return Conflict(
        f"storing watch {watch.id} as version {watch.version}: version {watch.version - 1} is not what is stored; "
        "someone else wrote it. Nothing of this step was stored: read it again, then decide again."
    )


class Store(Protocol):
    """Raises StoreUnavailable (locked, disk full, connection lost) or StoreDamaged from every method."""

    def save(self, step: Step) -> None:
        """Store all of the step in one transaction. Raises Conflict when a watch was written by someone else."""
        ...

    def watch(self, watch_id: str) -> Watch | None: ...

    def open_watches(self) -> list[Watch]:
        """Watches whose state is open, of all targets, oldest first."""
        ...

    def watches(self, target: str | None = None, limit: int = 50) -> list[Watch]:
        """Newest first."""
        ...

    def revision(self, target: str, revision_id: str) -> Revision | None: ...

    def revisions(self, target: str, limit: int = 50) -> list[Revision]:
        """Newest first, by when they were first seen."""
        ...

    def revision_by_fingerprint(self, target: str, fingerprint: str) -> Revision | None:
        """The newest revision with this fingerprint."""
        ...

    def bookmark(self, target: str) -> Bookmark | None: ...

    def bookmarks(self) -> list[Bookmark]:
        """Of all targets, by name: those that were ever seen."""
        ...

    def measurements(self, watch_id: str, rule: str | None = None, limit: int = 10_000) -> list[Measurement]:
        """In the order they were made; the newest `limit` of them."""
        ...

    def events(self, watch_id: str | None = None, target: str | None = None, limit: int = 1_000) -> list[Event]:
        """In the order they happened; the newest `limit` of them."""
        ...

    def evidence(self, watch_id: str) -> list[EvidenceItem]: ...

    def incident(self, incident_id: str) -> Incident | None: ...

    def incidents(self, target: str | None = None, limit: int = 50) -> list[Incident]:
        """Newest first."""
        ...

    def rollback(self, rollback_id: str) -> Rollback | None: ...

    def rollbacks(self, target: str, since: datetime) -> list[Rollback]:
        """Those started at or after `since`, newest first."""
        ...

    def pause(self, target: str) -> Pause | None:
        """The pause of the target, also one whose `until` is over: whoever asks has the time."""
        ...

    def pauses(self) -> list[Pause]:
        """Of all targets, by name; also those that are over."""
        ...

    def claim(self, target: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        """Become or stay the owner until now + ttl. One conditional write: of two callers, one gets True."""
        ...

    def release(self, target: str, owner: str) -> None:
        """Give the claim up, if it is this owner's."""
        ...

    def owner(self, target: str, now: datetime) -> str | None:
        """Who holds the claim, if it has not expired."""
        ...

    def due_notices(self, now: datetime, limit: int = 20) -> list[Notice]:
        """Notices whose time has come, the longest due first: a receiver that is down does not keep others waiting."""
        ...

    def notice_sent(self, notice_id: str, now: datetime) -> None: ...

    def notice_failed(self, notice_id: str, next_at: datetime | None, error: str) -> None:
        """Try again at `next_at`; None: given up, and kept with its error."""
        ...

    def queue(self) -> tuple[int, int]:
        """How many notices wait, and how many were given up."""
        ...

    def prune(self, before: datetime) -> int:
        """Drop measurements, events and evidence of watches that ended before then and made no incident, sent
        notices, and given-up ones, and events of no watch at all. Incidents and revisions stay. Returns the number
        of rows."""
        ...

    def keep_scrape(self, scrape: Scrape) -> None:
        """Add to a page's history; a scrape of the same page and time is left as it is."""
        ...

    def scrapes(self, page: str, start: datetime, end: datetime) -> list[Scrape]:
        """A page's history after `start` up to and with `end`, oldest first."""
        ...

    def prune_scrapes(self, before: datetime, most: int) -> int:
        """Drop the scrapes from before then, and of each page the oldest that are over `most` bytes together with
        what they have in common. Returns the number of scrapes."""
        ...

    def close(self) -> None: ...
