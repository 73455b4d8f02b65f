"""The statements that change the state: one step, and what is dropped when it is old."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Column, Connection, Delete, Executable, Table, delete, exists, or_, select, true, update

from watchdog.model.watch import Watch
from watchdog.store import tables
from watchdog.store.base import Step, stale
from watchdog.store.documents import encode
from watchdog.store.tables import micros

Upsert = Callable[[Table], Any]
"""A dialect's own INSERT: both have `on_conflict_do_update`, with the same arguments, but no common type."""

BATCH = 2_000
"""Rows dropped in one transaction: some tens of milliseconds."""


def upsert_of(dialect: str) -> Upsert:
    """The INSERT of the dialect that an engine speaks."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 -- 2 MB that SQLite does without

        return postgresql.insert
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.insert


def took_effect(connection: Connection, statement: Executable) -> bool:
    """Whether a conditional write changed its row."""
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1


def write_step(connection: Connection, insert: Upsert, step: Step) -> None:
    """Write all of a step. The caller's transaction makes it all or nothing. Raises Conflict."""
    for watch in step.watches:
        _write_watch(connection, insert, watch)
    _write_keyed(connection, insert, step)
    _write_added(connection, insert, step)


def _write_watch(connection: Connection, insert: Upsert, watch: Watch) -> None:
    table = tables.watches
    row = {
        "id": watch.id,
        "target": watch.target,
        "opened_at": micros(watch.opened_at),
        "ended_at": watch.ended_at and micros(watch.ended_at),
        "is_open": watch.state.open,
        "incident": watch.incident,
        "version": watch.version,
        "body": encode(watch),
    }
    before = table.c.version == watch.version - 1
    statement: Executable = update(table).where(table.c.id == watch.id, before).values(row)
    if watch.version <= 1:
        statement = insert(table).values(row).on_conflict_do_update(index_elements=[table.c.id], set_=row, where=before)
    if not took_effect(connection, statement):
        raise stale(watch)


def _write_keyed(connection: Connection, insert: Upsert, step: Step) -> None:
    """What replaces the row of the same key."""
    rows: list[tuple[Table, dict[str, Any]]] = [
        (
            tables.revisions,
            {
                "target": r.target,
                "id": r.id,
                "fingerprint": r.fingerprint,
                "seen_at": micros(r.seen_at),
                "body": encode(r),
            },
        )
        for r in step.revisions
    ]
    if (mark := step.bookmark) is not None:
        rows.append((tables.bookmarks, {"target": mark.target, "body": encode(mark)}))
    for i in step.incidents:
        key = {"id": i.id, "watch": i.watch, "target": i.target, "opened_at": micros(i.opened_at)}
        rows.append((tables.incidents, {**key, "body": encode(i)}))
    if (r := step.rollback) is not None:
        row = {"id": r.id, "target": r.target, "started_at": micros(r.started_at), "body": encode(r)}
        rows.append((tables.rollbacks, row))
    if step.resume is not None:
        connection.execute(delete(tables.pauses).where(tables.pauses.c.target == step.resume))
    if step.pause is not None:
        rows.append((tables.pauses, {"target": step.pause.target, "body": encode(step.pause)}))
    for table, row in rows:
        statement = insert(table).values(row)
        connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=row))


def _write_added(connection: Connection, insert: Upsert, step: Step) -> None:
    """What is only ever added, in its order."""
    added: list[tuple[Table, list[dict[str, Any]]]] = [
        (tables.measurements, [{"watch": m.watch, "rule": m.rule, "body": encode(m)} for m in step.measurements]),
        (
            tables.events,
            [
                {"watch": e.watch, "incident": e.incident, "target": e.target, "at": micros(e.at), "body": encode(e)}
                for e in step.events
            ],
        ),
        (tables.evidence, [{"watch": watch, "body": encode(item)} for watch, item in step.evidence]),
    ]
    for table, rows in added:
        if rows:
            connection.execute(table.insert(), rows)
    for notice in step.notices:
        statement = insert(tables.notices).values(
            id=notice.id,
            receiver=notice.receiver,
            state=tables.WAITING,
            created_at=micros(notice.created_at),
            next_at=micros(notice.next_at),
            attempts=notice.attempts,
            last_error=notice.last_error,
            event=encode(notice.event),
        )
        connection.execute(statement.on_conflict_do_nothing(index_elements=[tables.notices.c.id]))


def old_rows(before: int) -> Iterator[Delete]:
    """For each table, the statement that drops its next BATCH of rows from before that time."""
    watches, incidents, events, notices = tables.watches, tables.incidents, tables.events, tables.notices
    ended = (
        select(watches.c.id)
        .where(watches.c.is_open != true(), watches.c.ended_at < before, watches.c.incident.is_(None))
        .where(~exists().where(incidents.c.watch == watches.c.id))
    )
    of_no_watch = events.c.watch.is_(None) & events.c.incident.is_(None) & (events.c.at < before)
    yield _batch(tables.measurements, tables.measurements.c.watch.in_(ended))
    yield _batch(tables.evidence, tables.evidence.c.watch.in_(ended))
    yield _batch(events, or_(events.c.watch.in_(ended), of_no_watch))
    yield _batch(notices, (notices.c.state != tables.WAITING) & (notices.c.created_at < before))


def _batch(table: Table, condition: Any) -> Delete:
    number: Column[int] = table.c.seq
    return delete(table).where(number.in_(select(number).where(condition).limit(BATCH)))
