"""The three stores that the contract is asked of, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.components import require
from watchdog.store import open_store
from watchdog.store.base import Store

_numbers = count(1)


def _program(name: str) -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [
        Path(p) for p in [shutil.which(name)] if p is not None
    ]
    return found[-1] if found else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A server on a Unix socket in a folder of its own; gives the URL of its `postgres` database."""
    initdb, server = _program("initdb"), _program("postgres")
    require("postgresql (initdb)", initdb is not None and server is not None)
    # PostgreSQL does not run as root; a socket's path is at most 107 bytes, so not in pytest's folder.
    user = "postgres" if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="watchdog-pg-", dir="/tmp"))
    process = None
    try:
        if user:
            shutil.chown(folder, user)
        state = folder / "state"
        make = [str(initdb), "-D", str(state), "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"]
        subprocess.run(make, user=user, check=True, timeout=60, capture_output=True, cwd=folder)
        with (folder / "log").open("wb") as log:
            run = [str(server), "-D", str(state), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
            process = subprocess.Popen(run, user=user, stdout=log, stderr=log, cwd=folder)
        _wait_for_postgres(folder, process)
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # "fast" shutdown: does not wait for clients
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_postgres(folder: Path, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(f"host={folder} user=postgres dbname=postgres", connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}")


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty database."""
    import psycopg

    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres_server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty state that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    else:
        url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/state.db"}[request.param]
    opened = open_store(url)
    yield opened
    opened.close()
