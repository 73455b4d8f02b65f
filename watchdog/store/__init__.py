"""Where the state lives between any two steps."""

from __future__ import annotations

from datetime import timedelta

from watchdog.errors import BadConfig
from watchdog.store.base import Store

BUSY_TIMEOUT = timedelta(seconds=5)
"""How long a locked SQLite file or PostgreSQL row is waited for."""


def open_store(url: str, busy_timeout: timedelta = BUSY_TIMEOUT) -> Store:
    """Open the state that a config's `store` names, making it if there is none.

    `sqlite:///state.db` (relative to the working directory; settings make it absolute), `sqlite:////var/lib/watchdog/state.db`,
    `postgresql://user@host/database`, `memory://` (lost at the end of the process: tests, trials).
    Raises BadConfig, StoreUnavailable, StoreDamaged.
    """
    scheme, colon, _ = url.partition("://")
    if not colon or scheme not in {"sqlite", "postgresql", "postgres", "postgresql+psycopg", "memory"}:
        # Not the whole text: a mistyped URL may hold a password.
        raise BadConfig(f"store: expected sqlite:///FILE, postgresql://… or memory://, not {scheme.split('/')[0]!r}")
    if scheme == "memory":
        from watchdog.store.memory import MemoryStore  # noqa: PLC0415 -- only what is used is loaded

        return MemoryStore()
    from watchdog.store.sql import SqlStore  # noqa: PLC0415 -- SQLAlchemy: 17 MiB

    return SqlStore(url, busy_timeout)
