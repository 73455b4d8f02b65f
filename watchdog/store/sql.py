"""The state in SQLite (by default) or PostgreSQL (for several replicas): one code for both.

Every method is one transaction; only `prune` is several short ones. Safe from several threads and processes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Select, delete, func, make_url, select, true, update
from sqlalchemy.exc import ArgumentError

from watchdog.errors import BadConfig
from watchdog.model.deploy import EvidenceItem, Revision
from watchdog.model.incident import Bookmark, Event, Incident, Notice, Pause
from watchdog.model.measurement import Measurement
from watchdog.model.rollback import Rollback
from watchdog.model.watch import Watch
from watchdog.store import BUSY_TIMEOUT, tables, writes
from watchdog.store.base import Step
from watchdog.store.connect import DURABLE, READ, STEP, WRITE, connect_postgres, connect_sqlite
from watchdog.store.documents import V, decode
from watchdog.store.failures import telling
from watchdog.store.sql_scrapes import SqlScrapes
from watchdog.store.tables import from_micros, micros

_BODIES_AT_ONCE = 500  # bound parameters of one statement are limited


class SqlStore(SqlScrapes):
    """A Store in a database. Raises BadConfig, StoreUnavailable and StoreDamaged when made."""

    def __init__(self, url: str, busy_timeout: timedelta = BUSY_TIMEOUT) -> None:
        try:
            address = make_url(url)
        except (ArgumentError, ValueError):
            raise BadConfig("store: not a valid URL (a password needs %-escapes for @ : / and the like)") from None
        if address.get_backend_name() == "sqlite":
            if address.query or address.host or address.database in {None, "", ":memory:"}:
                raise BadConfig("store: expected sqlite:///FILE with nothing after it (without a file: memory://)")
            self._engine, self._place = connect_sqlite(Path(str(address.database)), busy_timeout)
        else:
            self._engine, self._place = connect_postgres(address, busy_timeout)
        self._insert = writes.upsert_of(self._engine.dialect.name)
        self._parsed: dict[str, tuple[int, Watch]] = {}
        self._parsing = threading.Lock()

    def close(self) -> None:
        """Close the connections; SQLite then folds its -wal into the file."""
        self._engine.dispose()

    def save(self, step: Step) -> None:
        """Store all of the step in one transaction. Raises Conflict when a watch was written by someone else."""
        relied_on = step.rollback is not None or any(watch.plan is not None for watch in step.watches)
        with self._transaction("storing a step", DURABLE if relied_on else WRITE) as connection:
            writes.write_step(connection, self._insert, step)
        with self._parsing:  # it is known what was just written: no need to read it again
            self._parsed |= {watch.id: (watch.version, watch) for watch in step.watches if watch.state.open}

    def watch(self, watch_id: str) -> Watch | None:
        """The watch of that id."""
        return self._one(Watch, select(tables.watches.c.body).where(tables.watches.c.id == watch_id))

    def open_watches(self) -> list[Watch]:
        """Watches whose state is open, oldest first. Only those that changed since the last call are read."""
        doing = "reading the open watches"
        table = tables.watches
        with self._parsing, self._transaction(doing, READ) as connection:
            keys = connection.execute(
                select(table.c.id, table.c.version)
                .where(table.c.is_open == true())
                .order_by(table.c.opened_at, table.c.id)
            ).all()
            known = self._parsed
            self._parsed = {i: known[i] for i, version in keys if i in known and known[i][0] == version}
            missing = [i for i, _ in keys if i not in self._parsed]
            for start in range(0, len(missing), _BODIES_AT_ONCE):
                part = missing[start : start + _BODIES_AT_ONCE]
                rows = connection.execute(select(table.c.id, table.c.version, table.c.body).where(table.c.id.in_(part)))
                self._parsed.update({i: (version, decode(Watch, body)) for i, version, body in rows})
            return [watch for i, _ in keys if (watch := self._parsed[i][1]).state.open]

    def watches(self, target: str | None = None, limit: int = 50) -> list[Watch]:
        """Newest first."""
        table = tables.watches
        query = select(table.c.body).order_by(table.c.opened_at.desc(), table.c.id.desc()).limit(limit)
        return self._all(Watch, query if target is None else query.where(table.c.target == target))

    def revision(self, target: str, revision_id: str) -> Revision | None:
        """The revision of that name."""
        table = tables.revisions
        return self._one(Revision, select(table.c.body).where(table.c.target == target, table.c.id == revision_id))

    def revisions(self, target: str, limit: int = 50) -> list[Revision]:
        """Newest first, by when they were first seen."""
        return self._all(Revision, self._revisions(target).limit(limit))

    def revision_by_fingerprint(self, target: str, fingerprint: str) -> Revision | None:
        """The newest revision with this fingerprint."""
        query = self._revisions(target).where(tables.revisions.c.fingerprint == fingerprint)
        return self._one(Revision, query.limit(1))

    def bookmark(self, target: str) -> Bookmark | None:
        """What the daemon last knew of the target."""
        return self._one(Bookmark, select(tables.bookmarks.c.body).where(tables.bookmarks.c.target == target))

    def bookmarks(self) -> list[Bookmark]:
        """Of all targets, by name."""
        return self._all(Bookmark, select(tables.bookmarks.c.body).order_by(tables.bookmarks.c.target))

    def measurements(self, watch_id: str, rule: str | None = None, limit: int = 10_000) -> list[Measurement]:
        """In the order they were made; the newest `limit` of them."""
        table = tables.measurements
        query = select(table.c.body).where(table.c.watch == watch_id).order_by(table.c.seq.desc()).limit(limit)
        return self._all(Measurement, query if rule is None else query.where(table.c.rule == rule))[::-1]

    def events(self, watch_id: str | None = None, target: str | None = None, limit: int = 1_000) -> list[Event]:
        """In the order they happened; the newest `limit` of them."""
        table = tables.events
        query = select(table.c.body).order_by(table.c.seq.desc()).limit(limit)
        if watch_id is not None:
            query = query.where(table.c.watch == watch_id)
        if target is not None:
            query = query.where(table.c.target == target)
        return self._all(Event, query)[::-1]

    def evidence(self, watch_id: str) -> list[EvidenceItem]:
        """In the order it was kept."""
        table = tables.evidence
        return self._all(EvidenceItem, select(table.c.body).where(table.c.watch == watch_id).order_by(table.c.seq))

    def incident(self, incident_id: str) -> Incident | None:
        """The incident of that id."""
        return self._one(Incident, select(tables.incidents.c.body).where(tables.incidents.c.id == incident_id))

    def incidents(self, target: str | None = None, limit: int = 50) -> list[Incident]:
        """Newest first."""
        table = tables.incidents
        query = select(table.c.body).order_by(table.c.opened_at.desc(), table.c.id.desc()).limit(limit)
        return self._all(Incident, query if target is None else query.where(table.c.target == target))

    def rollback(self, rollback_id: str) -> Rollback | None:
        """The rollback of that plan."""
        return self._one(Rollback, select(tables.rollbacks.c.body).where(tables.rollbacks.c.id == rollback_id))

    def rollbacks(self, target: str, since: datetime) -> list[Rollback]:
        """Those started at or after `since`, newest first."""
        table = tables.rollbacks
        query = select(table.c.body).where(table.c.target == target, table.c.started_at >= micros(since))
        return self._all(Rollback, query.order_by(table.c.started_at.desc(), table.c.id.desc()))

    def pause(self, target: str) -> Pause | None:
        """The pause of the target, also one whose `until` is over: whoever asks has the time."""
        return self._one(Pause, select(tables.pauses.c.body).where(tables.pauses.c.target == target))

    def pauses(self) -> list[Pause]:
        """Of all targets, by name."""
        return self._all(Pause, select(tables.pauses.c.body).order_by(tables.pauses.c.target))

    def claim(self, target: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        """Become or stay the owner until now + ttl. One conditional write: of two callers, one gets True."""
        table = tables.claims
        wanted = self._insert(table).values(target=target, owner=owner, until=micros(now + ttl))
        with self._transaction(f"claiming {target}", WRITE) as connection:
            return writes.took_effect(
                connection,
                wanted.on_conflict_do_update(
                    index_elements=[table.c.target],
                    set_={"owner": wanted.excluded.owner, "until": wanted.excluded.until},
                    where=(table.c.owner == owner) | (table.c.until <= micros(now)),
                ),
            )

    def release(self, target: str, owner: str) -> None:
        """Give the claim up, if it is this owner's."""
        table = tables.claims
        with self._transaction(f"releasing {target}", WRITE) as connection:
            connection.execute(delete(table).where(table.c.target == target, table.c.owner == owner))

    def owner(self, target: str, now: datetime) -> str | None:
        """Who holds the claim, if it has not expired."""
        table = tables.claims
        with self._transaction(f"reading who owns {target}", READ) as connection:
            query = select(table.c.owner).where(table.c.target == target, table.c.until > micros(now))
            return connection.execute(query).scalar_one_or_none()

    def due_notices(self, now: datetime, limit: int = 20) -> list[Notice]:
        """Notices whose time has come, the longest due first."""
        table = tables.notices
        query = (
            select(table)
            .where(table.c.state == tables.WAITING, table.c.next_at <= micros(now))
            .order_by(table.c.next_at, table.c.seq)
            .limit(limit)
        )
        with self._transaction("reading due notices", READ) as connection:
            return [
                Notice(
                    id=row.id,
                    event=decode(Event, row.event),
                    receiver=row.receiver,
                    created_at=from_micros(row.created_at),
                    next_at=from_micros(row.next_at),
                    attempts=row.attempts,
                    last_error=row.last_error,
                )
                for row in connection.execute(query)
            ]

    def notice_sent(self, notice_id: str, now: datetime) -> None:
        """It arrived: it is not sent again."""
        table = tables.notices
        done = update(table).where(table.c.id == notice_id, table.c.state != tables.SENT)
        with self._transaction(f"noting that {notice_id} was sent", WRITE) as connection:
            connection.execute(done.values(state=tables.SENT, sent_at=micros(now), attempts=table.c.attempts + 1))

    def notice_failed(self, notice_id: str, next_at: datetime | None, error: str) -> None:
        """Try again at `next_at`; None: given up, and kept with its error."""
        table = tables.notices
        failed = update(table).where(table.c.id == notice_id, table.c.state != tables.SENT)
        failed = failed.values(attempts=table.c.attempts + 1, last_error=error.replace("\0", "?"))
        if next_at is None:
            failed = failed.values(state=tables.GIVEN_UP)
        else:
            failed = failed.values(state=tables.WAITING, next_at=micros(next_at))
        with self._transaction(f"noting that {notice_id} was not sent", WRITE) as connection:
            connection.execute(failed)

    def queue(self) -> tuple[int, int]:
        """How many notices wait, and how many were given up."""
        table = tables.notices
        query = select(table.c.state, func.count()).where(table.c.state != tables.SENT).group_by(table.c.state)
        with self._transaction("counting notices", READ) as connection:
            counts = {state: int(count) for state, count in connection.execute(query)}
        return counts.get(tables.WAITING, 0), counts.get(tables.GIVEN_UP, 0)

    def prune(self, before: datetime) -> int:
        """Drop what `Store.prune` says, in short transactions, so that the engine's steps get their turn between."""
        dropped = 0
        for batch in writes.old_rows(micros(before)):
            count = writes.BATCH
            while count == writes.BATCH:
                with self._transaction("dropping what is too old", WRITE) as connection:
                    count = connection.execute(batch).rowcount
                dropped += count
        return dropped

    @contextmanager
    def _transaction(self, doing: str, step: str) -> Iterator[Connection]:
        with (
            telling(self._place, doing),
            self._engine.connect().execution_options(**{STEP: step}) as connection,
            connection.begin(),
        ):
            yield connection

    def _all(self, model: type[V], query: Select[str]) -> list[V]:
        with self._transaction(f"reading {model.__name__.lower()}s", READ) as connection:
            documents: Sequence[str] = connection.execute(query).scalars().all()
            return [decode(model, document) for document in documents]

    def _one(self, model: type[V], query: Select[str]) -> V | None:
        return next(iter(self._all(model, query)), None)

    @staticmethod
    def _revisions(target: str) -> Select[str]:
        table = tables.revisions
        newest = (table.c.seen_at.desc(), table.c.id.desc())
        return select(table.c.body).where(table.c.target == target).order_by(*newest)
