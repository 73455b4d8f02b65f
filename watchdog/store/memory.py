"""The state in memory, gone with the process: for tests, trials and rehearsals.

Passes the same contract suite as SqlStore. What is written goes through the same JSON, so what comes back is exactly
what a database would give back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from watchdog.model.deploy import EvidenceItem, Revision
from watchdog.model.incident import Bookmark, Event, Incident, Notice, Pause
from watchdog.model.measurement import Measurement
from watchdog.model.rollback import Rollback
from watchdog.model.watch import Watch
from watchdog.store.base import Step, stale
from watchdog.store.documents import V, decode, encode
from watchdog.store.memory_scrapes import MemoryScrapes

T = TypeVar("T")


class MemoryStore(MemoryScrapes):
    """A Store in dictionaries behind one lock."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._watches: dict[str, Watch] = {}
        self._revisions: dict[tuple[str, str], Revision] = {}
        self._bookmarks: dict[str, Bookmark] = {}
        self._measurements: dict[str, list[Measurement]] = {}
        self._events: list[Event] = []
        self._evidence: dict[str, list[EvidenceItem]] = {}
        self._incidents: dict[str, Incident] = {}
        self._rollbacks: dict[str, Rollback] = {}
        self._pauses: dict[str, Pause] = {}
        self._claims: dict[str, tuple[str, datetime]] = {}
        self._notices: dict[str, Notice] = {}
        self._sent: dict[str, datetime] = {}
        self._given_up: set[str] = set()

    def close(self) -> None:
        """Nothing to close."""

    def save(self, step: Step) -> None:
        """Store all of the step. Raises Conflict, and stores nothing, when a watch was written by someone else."""
        step = _copy(step)
        with self._lock:
            versions: dict[str, int] = {}
            for watch in step.watches:
                stored = self._watches.get(watch.id)
                version = versions.get(watch.id, stored.version if stored else None)
                if watch.version != version + 1 if version is not None else watch.version > 1:
                    raise stale(watch)
                versions[watch.id] = watch.version
            self._apply(step)

    def _apply(self, step: Step) -> None:
        self._watches |= {watch.id: watch for watch in step.watches}
        self._revisions |= {(revision.target, revision.id): revision for revision in step.revisions}
        for measurement in step.measurements:
            self._measurements.setdefault(measurement.watch, []).append(measurement)
        self._events += step.events
        for watch_id, item in step.evidence:
            self._evidence.setdefault(watch_id, []).append(item)
        for notice in step.notices:
            self._notices.setdefault(notice.id, notice)
        if step.bookmark is not None:
            self._bookmarks[step.bookmark.target] = step.bookmark
        self._incidents |= {incident.id: incident for incident in step.incidents}
        if step.rollback is not None:
            self._rollbacks[step.rollback.id] = step.rollback
        if step.resume is not None:
            self._pauses.pop(step.resume, None)
        if step.pause is not None:
            self._pauses[step.pause.target] = step.pause

    def watch(self, watch_id: str) -> Watch | None:
        """The watch of that id."""
        with self._lock:
            return self._watches.get(watch_id)

    def open_watches(self) -> list[Watch]:
        """Watches whose state is open, of all targets, oldest first."""
        with self._lock:
            return sorted((w for w in self._watches.values() if w.state.open), key=_opened)

    def watches(self, target: str | None = None, limit: int = 50) -> list[Watch]:
        """Newest first."""
        with self._lock:
            return _newest((w for w in self._watches.values() if target in {None, w.target}), _opened, limit)

    def revision(self, target: str, revision_id: str) -> Revision | None:
        """The revision of that name."""
        with self._lock:
            return self._revisions.get((target, revision_id))

    def revisions(self, target: str, limit: int = 50) -> list[Revision]:
        """Newest first, by when they were first seen."""
        with self._lock:
            return _newest((r for r in self._revisions.values() if r.target == target), _seen, limit)

    def revision_by_fingerprint(self, target: str, fingerprint: str) -> Revision | None:
        """The newest revision with this fingerprint."""
        with self._lock:
            same = (r for r in self._revisions.values() if (r.target, r.fingerprint) == (target, fingerprint))
            return max(same, key=_seen, default=None)

    def bookmark(self, target: str) -> Bookmark | None:
        """What the daemon last knew of the target."""
        with self._lock:
            return self._bookmarks.get(target)

    def bookmarks(self) -> list[Bookmark]:
        """Of all targets, by name."""
        with self._lock:
            return [mark for _, mark in sorted(self._bookmarks.items())]

    def measurements(self, watch_id: str, rule: str | None = None, limit: int = 10_000) -> list[Measurement]:
        """In the order they were made; the newest `limit` of them."""
        with self._lock:
            return _last((m for m in self._measurements.get(watch_id, []) if rule in {None, m.rule}), limit)

    def events(self, watch_id: str | None = None, target: str | None = None, limit: int = 1_000) -> list[Event]:
        """In the order they happened; the newest `limit` of them."""
        with self._lock:
            wanted = (e for e in self._events if watch_id in {None, e.watch} and target in {None, e.target})
            return _last(wanted, limit)

    def evidence(self, watch_id: str) -> list[EvidenceItem]:
        """In the order it was kept."""
        with self._lock:
            return list(self._evidence.get(watch_id, []))

    def incident(self, incident_id: str) -> Incident | None:
        """The incident of that id."""
        with self._lock:
            return self._incidents.get(incident_id)

    def incidents(self, target: str | None = None, limit: int = 50) -> list[Incident]:
        """Newest first."""
        with self._lock:
            return _newest((i for i in self._incidents.values() if target in {None, i.target}), _opened, limit)

    def rollback(self, rollback_id: str) -> Rollback | None:
        """The rollback of that plan."""
        with self._lock:
            return self._rollbacks.get(rollback_id)

    def rollbacks(self, target: str, since: datetime) -> list[Rollback]:
        """Those started at or after `since`, newest first."""
        with self._lock:
            found = [r for r in self._rollbacks.values() if r.target == target and r.started_at >= since]
            return sorted(found, key=lambda r: (r.started_at, r.id), reverse=True)

    def pause(self, target: str) -> Pause | None:
        """The pause of the target, also one whose `until` is over: whoever asks has the time."""
        with self._lock:
            return self._pauses.get(target)

    def pauses(self) -> list[Pause]:
        """Of all targets, by name."""
        with self._lock:
            return [pause for _, pause in sorted(self._pauses.items())]

    def claim(self, target: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        """Become or stay the owner until now + ttl."""
        with self._lock:
            holder, until = self._claims.get(target, (owner, now))
            if holder != owner and until > now:
                return False
            self._claims[target] = (owner, now + ttl)
            return True

    def release(self, target: str, owner: str) -> None:
        """Give the claim up, if it is this owner's."""
        with self._lock:
            if target in self._claims and self._claims[target][0] == owner:
                del self._claims[target]

    def owner(self, target: str, now: datetime) -> str | None:
        """Who holds the claim, if it has not expired."""
        with self._lock:
            holder, until = self._claims.get(target, (None, now))
            return holder if until > now else None

    def due_notices(self, now: datetime, limit: int = 20) -> list[Notice]:
        """Notices whose time has come, the longest due first."""
        with self._lock:
            due = [notice for notice in self._waiting() if notice.next_at <= now]
            return sorted(due, key=lambda notice: notice.next_at)[:limit]

    def notice_sent(self, notice_id: str, now: datetime) -> None:
        """It arrived: it is not sent again."""
        with self._lock:
            if notice_id in self._notices:
                self._sent.setdefault(notice_id, now)
                self._given_up.discard(notice_id)

    def notice_failed(self, notice_id: str, next_at: datetime | None, error: str) -> None:
        """Try again at `next_at`; None: given up, and kept with its error."""
        with self._lock:
            notice = self._notices.get(notice_id)
            if notice is None or notice_id in self._sent:
                return
            change = {"attempts": notice.attempts + 1, "last_error": error, "next_at": next_at or notice.next_at}
            self._notices[notice_id] = notice.model_copy(update=change)
            if next_at is None:
                self._given_up.add(notice_id)
            else:
                self._given_up.discard(notice_id)

    def queue(self) -> tuple[int, int]:
        """How many notices wait, and how many were given up."""
        with self._lock:
            return len(self._waiting()), len(self._given_up)

    def _waiting(self) -> list[Notice]:
        return [n for n in self._notices.values() if n.id not in self._sent and n.id not in self._given_up]

    def prune(self, before: datetime) -> int:
        """Drop what `Store.prune` says."""
        with self._lock:
            told = {incident.watch for incident in self._incidents.values()}
            old = {
                watch.id
                for watch in self._watches.values()
                if watch.ended_at is not None and watch.ended_at < before and not watch.state.open
                if watch.incident is None and watch.id not in told
            }
            dropped = sum(len(self._measurements.pop(i, [])) + len(self._evidence.pop(i, [])) for i in old)
            events = [e for e in self._events if not (e.watch in old or _of_no_watch(e, before))]
            dropped += len(self._events) - len(events)
            self._events = events
            settled = [i for i in (*self._sent, *self._given_up) if self._notices[i].created_at < before]
            for notice_id in settled:
                del self._notices[notice_id]
                self._sent.pop(notice_id, None)
                self._given_up.discard(notice_id)
            return dropped + len(settled)


def _copy(value: V) -> V:
    return decode(type(value), encode(value))


def _opened(value: Watch | Incident) -> tuple[datetime, str]:
    return value.opened_at, value.id


def _seen(revision: Revision) -> tuple[datetime, str]:
    return revision.seen_at, revision.id


def _of_no_watch(event: Event, before: datetime) -> bool:
    return event.watch is None and event.incident is None and event.at < before


def _newest(values: Iterable[T], key: Callable[[T], tuple[datetime, str]], limit: int) -> list[T]:
    return sorted(values, key=key, reverse=True)[:limit]


def _last(values: Iterable[T], limit: int) -> list[T]:
    found = list(values)
    return found[max(0, len(found) - limit) :]
