"""Killed at any moment, each step is there as a whole or not at all, and the next process goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.examples import bookmark, event, measurement, rollback, watch
from tests.waiting import within
from watchdog.store import open_store
from watchdog.store.base import Step

ROOT = Path(__file__).parents[2]

SAVES = """
import sys
from tests.store.test_kill import step
from watchdog.store import open_store
store = open_store(sys.argv[1])
first = store.watch("w1")
for n in range((first.version if first else 0) + 1, 1_000_000):
    store.save(step(n))
    print(n, flush=True)
"""


def step(number: int) -> Step:
    """Says the same number in five tables."""
    return Step(
        watches=(watch(version=number),),
        bookmark=bookmark(rev=f"r{number}"),
        measurements=(measurement(), measurement()),
        events=(event(f"e{number}"),),
        rollback=rollback(attempts=number),
    )


@pytest.mark.slow
def test_a_kill_leaves_every_step_whole(database_url: str) -> None:
    told = 0
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVES, database_url], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        try:
            assert process.stdout is not None
            for _ in range(25):
                told = int(process.stdout.readline())
        finally:
            process.kill()
            rest, _ = process.communicate(timeout=within(30))
        told = max([told, *(int(line) for line in rest.split("\n")[:-1])])

        store = open_store(database_url)
        stored = store.watch("w1")
        mark, undone = store.bookmark("shop"), store.rollback("p1")
        assert stored is not None
        assert mark is not None
        assert undone is not None
        assert stored.version >= told
        assert mark.revision == f"r{stored.version}"
        assert undone.attempts == stored.version
        assert len(store.measurements("w1")) == 2 * stored.version
        assert [e.id for e in store.events()] == [f"e{n}" for n in range(1, stored.version + 1)][-1000:]
        store.save(step(stored.version + 1))  # the next process goes on
        store.close()
