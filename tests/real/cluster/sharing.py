"""One cluster for all processes of a test run: the first that needs it starts it, and it ends with the last of them.

What keeps it alive is a FIFO that each process holds open for writing: when the last of them closes it, or is killed,
the cluster reads its end, and goes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tests.real.cluster.cluster import ENDS_WITHIN, Cluster, index_lock
from tests.waiting import wait_until


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[Cluster]:
    """The cluster of all who name this folder."""
    folder.mkdir(exist_ok=True)
    with (folder / "users").open("a") as users:
        with _alone(folder):
            fcntl.flock(users, fcntl.LOCK_SH)
            life, cluster = _join(folder) or _start(folder)
        try:
            yield cluster
        finally:
            with _alone(folder):
                os.close(life)
                cluster.leave()
                if _is_last(users):
                    wait_until(lambda: _is_gone(cluster.index), "the cluster to be gone", ENDS_WITHIN)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Of those who come and go, one at a time."""
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _join(folder: Path) -> tuple[int, Cluster] | None:
    """The one that runs; none: nobody reads the FIFO."""
    try:
        life = os.open(folder / "life", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None
    return life, Cluster(int((folder / "index").read_text()))


def _start(folder: Path) -> tuple[int, Cluster]:
    fifo = folder / "life"
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    life = os.open(fifo, os.O_RDWR)  # to read as well, or it would wait for a reader
    cluster = Cluster()
    try:
        with fifo.open("rb", buffering=0) as reader:
            cluster.start(reader.fileno())
    except BaseException:
        os.close(life)
        cluster.remove()
        raise
    (folder / "index").write_text(str(cluster.index))
    return life, cluster


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_gone(index: int) -> bool:
    """A cluster holds the lock of its index until nothing of it is left."""
    lock = index_lock(index)
    if lock is None:
        return False
    lock.close()
    return True
