"""Opens the database: makes it if there is none, refuses one that is damaged, foreign, or newer than this program.

Reads only, until the state is known to be ours and whole: a refused file is left as it is.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, select, text, update

from watchdog.errors import BadConfig, StoreDamaged
from watchdog.store.failures import Place, telling
from watchdog.store.tables import SCHEMA_VERSION, metadata, schema

STEP = "watchdog_step"
"""The execution option that says what a transaction is for: READ, WRITE or DURABLE."""
READ, WRITE, DURABLE = "read", "write", "durable"

_CHECKED_BYTES = 32 * 1024 * 1024  # quick_check reads the whole file: some 0.1 s for this much
_LOCK = 7_236_112_650_491  # any fixed number: the advisory lock under which replicas make the tables
_STATEMENT_LIMIT = timedelta(seconds=30)
_CONNECT_LIMIT = timedelta(seconds=5)


def connect_sqlite(path: Path, busy_timeout: timedelta) -> tuple[Engine, Place]:
    """An engine on a SQLite file in WAL mode. Raises StoreUnavailable, StoreDamaged."""
    place = Place(shown=str(path), waited=busy_timeout, file=path)
    seconds = busy_timeout.total_seconds()
    ready = False
    if not _make_file(path, place):
        with telling(place, "opening the state"):
            ready = _inspect_file(path, place, seconds)
    # Parameters hold what services hold: they must not reach an error's text.
    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"timeout": seconds}, hide_parameters=True
    )
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    try:
        with telling(place, "opening the state"):
            _use_wal(engine)
            if not ready:
                with engine.connect().execution_options(**{STEP: DURABLE}) as connection, connection.begin():
                    _make_tables(connection, place)
    except BaseException:
        engine.dispose()
        raise
    return engine, place


def connect_postgres(url: URL, busy_timeout: timedelta) -> tuple[Engine, Place]:
    """An engine on PostgreSQL. Raises BadConfig without psycopg, StoreUnavailable, StoreDamaged."""
    try:
        import psycopg  # noqa: F401, PLC0415 -- 9 MiB, only where PostgreSQL is used
    except ImportError as error:
        raise BadConfig(
            "store: postgresql:// needs psycopg. Install it with: pip install 'deploy-watchdog[postgres]'"
        ) from error
    url = url.set(drivername="postgresql+psycopg")
    shown = url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
    place = Place(shown=shown, waited=busy_timeout)
    limits: dict[str, Any] = {
        "connect_timeout": int(_CONNECT_LIMIT.total_seconds()),
        "tcp_user_timeout": int(_STATEMENT_LIMIT.total_seconds() * 1000),
        "application_name": "deploy-watchdog",
        "options": f"-c lock_timeout={max(1, round(busy_timeout.total_seconds() * 1000))} "
        f"-c statement_timeout={round(_STATEMENT_LIMIT.total_seconds() * 1000)}",
    }
    chosen = {name: value for name, value in limits.items() if name not in url.query}
    engine = create_engine(url, connect_args=chosen, hide_parameters=True, pool_pre_ping=True)
    try:
        with telling(place, "opening the state"), engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            _make_tables(connection, place)
    except BaseException:
        engine.dispose()
        raise
    return engine, place


def _make_file(path: Path, place: Place) -> bool:
    """Make an empty file that only its owner may read, whatever the umask; SQLite gives -wal and -shm the same mode.

    Returns False when the file exists: it keeps the mode that someone gave it.
    """
    with telling(place, "creating the state"):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return False
        return True


def _inspect_file(path: Path, place: Place, busy_seconds: float) -> bool:
    """Look at an existing file without changing it. Returns whether all our tables are there; False: it is empty, or
    an older watchdog made it."""
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=busy_seconds)) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not names:
            return False
        if schema.name not in names:
            raise place.damaged("opening the state", "it is a database of another program")
        rows = connection.execute(f"SELECT version FROM {schema.name}").fetchall()  # noqa: S608
        version = _check_version(rows, place)
        if path.stat().st_size <= _CHECKED_BYTES:
            problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
            if problems != ["ok"]:
                raise place.damaged("checking the state", "; ".join(problems))
    return version == SCHEMA_VERSION


def _check_version(rows: list[Any], place: Place) -> int:
    """The version of the tables that are there: this one, or an older one."""
    found = [row[0] for row in rows]
    if len(found) == 1 and isinstance(found[0], int) and found[0] > SCHEMA_VERSION:
        raise StoreDamaged(
            f"opening the state: {place.shown} was written by a newer watchdog (schema {found[0]}; this program knows "
            f"{SCHEMA_VERSION}). Nothing was changed. Install the newer watchdog again, or restore the backup that was "
            "made before the upgrade."
        )
    if len(found) != 1 or not isinstance(found[0], int) or found[0] < 1:
        raise place.damaged("opening the state", f"its schema version is {found}, not {SCHEMA_VERSION}")
    return found[0]


def _make_tables(connection: Connection, place: Place) -> None:
    """Make the tables that are not there, unless another process just did. Runs in one transaction that others wait
    for. What an older version wrote stays as it is: it reads as before (tests/store/golden)."""
    if not inspect(connection).has_table(schema.name):
        metadata.create_all(connection)
        connection.execute(insert(schema).values(id=1, version=SCHEMA_VERSION))
    elif _check_version(list(connection.execute(select(schema.c.version)).all()), place) < SCHEMA_VERSION:
        metadata.create_all(connection)
        connection.execute(update(schema).values(version=SCHEMA_VERSION))


def _use_wal(engine: Engine) -> None:
    """Readers and the writer do not wait for each other. The file remembers the mode; a restored dump does not."""
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        mode = cursor.execute("PRAGMA journal_mode").fetchone()
        if mode[0] != "wal":
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()
    finally:
        raw.close()


def _on_sqlite_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the begin below is the only one
    connection.execute("PRAGMA synchronous=NORMAL").close()


def _on_sqlite_begin(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first and writes later could not wait for it.

    NORMAL survives a killed process; what a rollback relies on is written FULL, and survives a power cut too.
    """
    step = connection.get_execution_options().get(STEP, READ)
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if step == DURABLE else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN" if step == READ else "BEGIN IMMEDIATE")
