"""The three stores that the contract is asked of, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from tests.postgres import serving
from watchdog.store import open_store
from watchdog.store.base import Store

_numbers = count(1)
_POSTGRES = pytest.param("postgresql", marks=pytest.mark.slow)
"""It starts a server."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A server on a Unix socket in a folder of its own; gives the URL of its `postgres` database."""
    with serving() as server:
        yield server.url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty database."""
    import psycopg

    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres_server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", _POSTGRES])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty state that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(params=["memory", "sqlite", _POSTGRES])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    else:
        url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/state.db"}[request.param]
    opened = open_store(url, timedelta(seconds=200))
    yield opened
    opened.close()
