"""What went wrong with the state, in words: what was being done, with which file, and what to try.

Decides by SQLite's and PostgreSQL's own error codes. Never repeats a value: the state may hold a service's secrets.
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from watchdog.errors import StoreDamaged, StoreUnavailable
from watchdog.model.base import format_duration

_SQLITE_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_MISMATCH")
_SQLITE_CAUSES = {
    "SQLITE_BUSY": "it stayed locked by another process for {waited}. Find that process (fuser {file}) "
    "and end it, or try again",
    "SQLITE_LOCKED": "it is locked by another connection. Try again",
    "SQLITE_FULL": "the disk is full. Free some space: nothing of this step was stored, all earlier state is intact",
    "SQLITE_IOERR": "the disk answered with an error. Look at the free space, the file size limit and the kernel's "
    "log: nothing of this step was stored",
    "SQLITE_READONLY": "it may only be read. The file and its folder must be writable for this user, on a file system "
    "that is not mounted read-only",
    "SQLITE_CANTOPEN": "it cannot be opened. Its folder must exist, and this user needs to read and write there",
    "SQLITE_PERM": "this user has no right to it. Look at the owner and mode of the file and its folder",
    "SQLITE_AUTH": "this user has no right to it. Look at the owner and mode of the file and its folder",
    "SQLITE_PROTOCOL": "its locks do not work. A network file system cannot hold it: use a local disk or PostgreSQL",
}
_POSTGRES_DAMAGED = ("XX001", "XX002", "42P01", "42703", "42804")  # corrupted data or index; no such table or column
_POSTGRES_CAUSES = {
    "55P03": "a row stayed locked by another connection for {waited}. Try again",
    "57014": "the answer took longer than statement_timeout. Look at the database's load, then try again",
    "40P01": "two writers waited for each other and this one gave way. Try again",
    "53100": "the database's disk is full. Free some space: nothing of this step was stored",
    "25006": "the database may only be read (a standby, or default_transaction_read_only). Use the primary",
    "42501": "this user may not do that. Give it the rights to create and use tables in its schema",
    "28P01": "the password was refused. Look at the user and password of `store`",
}


@dataclass(frozen=True)
class Place:
    """Where the state is, as it may be shown: a file, or a URL without its password."""

    shown: str
    waited: timedelta
    """How long a lock is waited for."""
    file: Path | None = None

    def damaged(self, doing: str, detail: str) -> StoreDamaged:
        """The error for state that is not what was written, with the way to keep it and start afresh."""
        said = f"{doing}: {self.shown} is not what was written: {detail}. Nothing was changed."
        afresh = "start afresh (then no revision is known good until a watch has passed)"
        if self.file is None:
            return StoreDamaged(
                f"{said} Restore a backup; or keep it with pg_dump, and {afresh}: point `store` at an empty database."
            )
        aside = self.file.parent / "damaged-state"
        return StoreDamaged(
            f"{said} Stop the watchdog; restore a backup, or keep the file and {afresh} with this:\n"
            f"mkdir {shlex.quote(str(aside))} && mv {shlex.quote(str(self.file))}* {shlex.quote(str(aside))}/"
        )

    def unavailable(self, doing: str, cause: str) -> StoreUnavailable:
        """The error for state that cannot be read or written now. `cause` may name {file} and {waited}."""
        cause = cause.replace("{file}", shlex.quote(self.shown)).replace("{waited}", format_duration(self.waited))
        return StoreUnavailable(f"{doing}: {self.shown}: {cause}.")

    def unreadable(self, doing: str, error: ValidationError) -> StoreDamaged:
        """The error for a document that does not validate: says which fields, never what is in them."""
        parts = error.errors(include_input=False, include_url=False, include_context=False)[:3]
        fields = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'document'}: {p['type']}" for p in parts)
        return self.damaged(doing, f"a stored {error.title} does not read ({fields}), or a newer program wrote it")


@contextmanager
def telling(place: Place, doing: str) -> Iterator[None]:
    """Turn what the database and the operating system raise into StoreUnavailable or StoreDamaged."""
    try:
        yield
    except ValidationError as error:
        raise place.unreadable(doing, error) from None  # its text repeats the input
    except DBAPIError as error:
        raise _from_database(place, doing, error.orig or error) from error
    except SQLAlchemyError as error:  # no free connection in time, and the like
        raise place.unavailable(doing, f"{error}. Try again") from error
    except sqlite3.Error as error:
        raise _from_database(place, doing, error) from error
    except OSError as error:
        cause = f"{error.strerror or error}. Look at the folder, its owner and its free space"
        raise place.unavailable(doing, cause) from error


def _from_database(place: Place, doing: str, error: BaseException) -> StoreUnavailable | StoreDamaged:
    if isinstance(error, sqlite3.Error):
        return _from_sqlite(place, doing, error)
    state = getattr(error, "sqlstate", None) or ""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if state.startswith(_POSTGRES_DAMAGED):
        return place.damaged(doing, f"{first} ({state})")
    cause = _POSTGRES_CAUSES.get(state, "Look whether PostgreSQL runs and can be reached, then try again")
    return place.unavailable(doing, f"{first}{f' ({state})' if state else ''}; {cause}")


def _from_sqlite(place: Place, doing: str, error: sqlite3.Error) -> StoreUnavailable | StoreDamaged:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(_SQLITE_DAMAGED) or (name == "SQLITE_ERROR" and str(error).startswith("no such")):
        return place.damaged(doing, f"{error} ({name})")
    for code, cause in _SQLITE_CAUSES.items():
        if name.startswith(code):
            return place.unavailable(doing, f"{cause} ({name})")
    return place.unavailable(doing, f"{error} ({name or type(error).__name__}). Try again")
