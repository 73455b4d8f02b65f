"""Given what the driver raised, these words: what was being done, where, and what to try."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolIsEmpty

from watchdog.errors import StoreDamaged, StoreUnavailable
from watchdog.model.base import Value
from watchdog.store.failures import Place, telling

FILE = Place(shown="/var/lib/watch dog/state.db", waited=timedelta(seconds=5), file=Path("/var/lib/watch dog/state.db"))
SERVER = Place(shown="postgresql://watchdog:***@db/state", waited=timedelta(seconds=5))


class PostgresError(Exception):
    """As psycopg's: with the five characters that say what happened, or without where nothing answered."""

    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def sqlite(text: str, name: str | None = None) -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    if name is not None:
        error.sqlite_errorname = name
    return error


def told(place: Place, raised: Exception) -> str:
    wanted = (StoreUnavailable, StoreDamaged)
    with pytest.raises(wanted) as found, telling(place, "storing a step"):
        raise raised
    kind = "damaged" if isinstance(found.value, StoreDamaged) else "unavailable"
    return f"{kind}: {found.value}"


def wrapped(error: Exception) -> DBAPIError:
    return DBAPIError("UPDATE …", {}, error)


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (
            PostgresError("lock timeout\nCONTEXT: while updating", "55P03"),
            "lock timeout (55P03); a row stayed locked by another connection for 5s. Try again",
        ),
        (
            PostgresError("connection refused\n\tIs the server running?"),
            "connection refused; Look whether PostgreSQL runs and can be reached, then try again",
        ),
        (
            PostgresError("", "08006"),
            "PostgresError (08006); Look whether PostgreSQL runs and can be reached, then try again",
        ),
        (ValueError("odd"), "odd; Look whether PostgreSQL runs and can be reached, then try again"),
    ],
)
def test_postgresql_that_cannot_be_asked_now(raised: Exception, words: str):
    assert told(SERVER, wrapped(raised)) == (
        f"unavailable: storing a step: postgresql://watchdog:***@db/state: {words}."
    )


@pytest.mark.parametrize("state", ["XX001", "42P01"])
def test_postgresql_that_is_not_what_was_written(state: str):
    assert told(SERVER, wrapped(PostgresError("relation is gone\nLINE 1", state))) == (
        "damaged: storing a step: postgresql://watchdog:***@db/state is not what was written: "
        f"relation is gone ({state}). Nothing was changed. Restore a backup; or keep it with pg_dump, and start afresh "
        "(then no revision is known good until a watch has passed): point `store` at an empty database."
    )


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (
            sqlite("database is locked", "SQLITE_BUSY"),
            (
                "it stayed locked by another process for 5s. Find that process (fuser '/var/lib/watch dog/state.db') "
                "and end it, or try again (SQLITE_BUSY)"
            ),
        ),
        (sqlite("a constraint", "SQLITE_CONSTRAINT"), "a constraint (SQLITE_CONSTRAINT). Try again"),
        (sqlite("syntax error", "SQLITE_ERROR"), "syntax error (SQLITE_ERROR). Try again"),
        (sqlite("no such luck", "SQLITE_NOLFS"), "no such luck (SQLITE_NOLFS). Try again"),
        (sqlite("closed"), "closed (OperationalError). Try again"),
    ],
)
def test_a_file_that_cannot_be_asked_now(raised: sqlite3.Error, words: str):
    for each in (raised, wrapped(raised)):
        assert told(FILE, each) == f"unavailable: storing a step: /var/lib/watch dog/state.db: {words}."


@pytest.mark.parametrize(
    "raised", [sqlite("no such table: x", "SQLITE_ERROR"), sqlite("malformed", "SQLITE_CORRUPT_INDEX")]
)
def test_a_file_that_is_not_what_was_written_is_put_aside_with_two_commands(raised: sqlite3.Error):
    assert told(FILE, raised) == (
        "damaged: storing a step: /var/lib/watch dog/state.db is not what was written: "
        f"{raised} ({raised.sqlite_errorname}). Nothing was changed. Stop the watchdog; restore a backup, or keep the "
        "file and start afresh (then no revision is known good until a watch has passed) with this:\n"
        "mkdir '/var/lib/watch dog/damaged-state' && "
        "mv '/var/lib/watch dog/state.db'* '/var/lib/watch dog/damaged-state'/"
    )


def test_what_is_neither_the_databases_nor_the_drivers_is_told_too():
    assert told(SERVER, PoolIsEmpty("no connection in 30 s")).endswith(": no connection in 30 s. Try again.")
    assert told(FILE, PermissionError(13, "Permission denied")).endswith(
        ": Permission denied. Look at the folder, its owner and its free space."
    )


class Stored(Value):
    first: int
    second: dict[str, int]
    third: int
    fourth: int


def test_a_document_that_does_not_read_says_which_fields_and_never_what_is_in_them():
    def read(text: str) -> str:
        wanted = "storing a step: postgresql://watchdog:***@db/state is not what was written: a stored Stored"
        with pytest.raises(StoreDamaged) as found, telling(SERVER, "storing a step"):
            Stored.model_validate_json(text)
        said = str(found.value)
        assert said.startswith(f"{wanted} does not read (")
        assert "pa55word" not in said
        return said.partition("does not read (")[2].partition("), or a newer program wrote it")[0]

    assert read('{"first": "pa55word", "second": {"x": "pa55word"}}') == (
        "first: int_parsing; second.x: int_parsing; third: missing"
    )
    assert read('"pa55word"') == "document: model_type"
