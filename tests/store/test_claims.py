"""One target, one owner: by contract, between threads, between processes, and after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.store.examples import T0, at
from tests.waiting import within
from watchdog.store import open_store
from watchdog.store.base import Store

TTL = timedelta(seconds=30)


def test_the_first_owner_stays_until_its_claim_expires(store: Store) -> None:
    assert store.claim("shop", "a", T0, TTL)
    assert not store.claim("shop", "b", at(1), TTL)
    assert store.claim("shop", "a", at(20), TTL)  # prolongs
    assert not store.claim("shop", "b", at(49), TTL)
    assert store.owner("shop", at(49)) == "a"
    assert store.owner("shop", at(50)) is None
    assert store.claim("shop", "b", at(50), TTL)
    assert not store.claim("shop", "a", at(51), TTL)


def test_targets_are_claimed_apart(store: Store) -> None:
    assert store.claim("shop", "a", T0, TTL)
    assert store.claim("blog", "b", T0, TTL)
    assert (store.owner("shop", T0), store.owner("blog", T0)) == ("a", "b")


def test_what_one_owner_gives_up_is_that_target_alone(store: Store) -> None:
    for target in ("shop", "blog"):
        store.claim(target, "a", T0, TTL)
    store.release("shop", "a")
    assert (store.owner("shop", T0), store.owner("blog", T0)) == (None, "a")


def test_only_the_owner_can_give_it_up(store: Store) -> None:
    store.claim("shop", "a", T0, TTL)
    store.release("shop", "b")
    assert store.owner("shop", T0) == "a"
    store.release("shop", "a")
    store.release("shop", "a")
    assert store.owner("shop", T0) is None
    assert store.claim("shop", "b", T0, TTL)


def test_of_many_threads_one_gets_the_claim(store: Store) -> None:
    start = threading.Barrier(8, timeout=within(30))

    def race(owner: int) -> list[bool]:
        start.wait()
        return [store.claim(f"target-{n}", str(owner), T0, TTL) for n in range(10)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(race, range(8)))
    assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 10


RACE = """
import json, sys
from datetime import datetime, timedelta
from watchdog.store import open_store
url, owner, now = sys.argv[1:]
sys.stdin.readline()
store = open_store(url, timedelta(seconds=200))
at = datetime.fromisoformat(now)
print(json.dumps([store.claim(f"target-{n}", owner, at, timedelta(seconds=30)) for n in range(20)]))
store.close()
"""


@pytest.mark.slow
def test_of_several_processes_one_gets_the_claim_and_one_makes_the_tables(database_url: str) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, database_url, str(owner), T0.isoformat()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for owner in range(4)
    ]
    try:
        for process in started:  # all have begun: none has opened the store yet
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [json.loads(process.communicate(timeout=within(60))[0]) for process in started]
    finally:
        for process in started:
            process.kill()
            process.communicate()
    assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 20
    winners = {f"target-{n}": str([a[n] for a in answers].index(True)) for n in range(20)}
    store = open_store(database_url)
    assert {target: store.owner(target, T0) for target in winners} == winners
    store.close()
