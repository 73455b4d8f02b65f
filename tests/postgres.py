"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.components import require
from tests.waiting import wait_until, within


@dataclass(frozen=True)
class Postgres:
    """Where it is."""

    folder: Path
    """Its socket is there, and its log."""
    port: int

    @property
    def url(self) -> str:
        """Of its `postgres` database, for who is on this machine."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={self.port}"


def _program(name: str) -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [
        Path(p) for p in [shutil.which(name)] if p is not None
    ]
    return found[-1] if found else None


@contextlib.contextmanager
def serving(address: str = "", port: int = 5432, network: str = "") -> Iterator[Postgres]:
    """A server on a Unix socket in a folder of its own; with `address` on that too, with passwords, for `network`."""
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
        subprocess.run(make, user=user, check=True, timeout=within(60), capture_output=True, cwd=folder)
        if network:
            with (state / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {network} scram-sha-256\n")
        listen = ["-c", f"listen_addresses={address}", "-c", f"port={port}", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            run = [str(server), "-D", str(state), "-k", str(folder), *listen]
            process = subprocess.Popen(run, user=user, stdout=log, stderr=log, cwd=folder)
        _wait_for(folder, port, process)
        yield Postgres(folder, port)
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # "fast" shutdown: does not wait for clients
            try:
                process.wait(within(30))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(within(10))
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(folder: Path, port: int, process: subprocess.Popen[bytes]) -> None:
    where = f"host={folder} port={port} user=postgres dbname=postgres"

    def answers() -> bool:
        if process.poll() is not None:
            pytest.fail(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}")
        try:
            psycopg.connect(where, connect_timeout=int(within(2))).close()
        except psycopg.OperationalError:
            return False
        return True

    wait_until(answers, f"PostgreSQL to start; its log is {folder / 'log'}", seconds=30)
