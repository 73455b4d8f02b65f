"""Whatever is done in whatever order, SQLite and memory give the same answers."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.store.examples import (
    at,
    bookmark,
    event,
    incident,
    logs,
    measurement,
    notice,
    pause,
    revision,
    rollback,
    scrape,
    watch,
)
from watchdog.errors import Conflict
from watchdog.model.watch import WatchState
from watchdog.store import open_store
from watchdog.store.base import Step, Store
from watchdog.store.memory import MemoryStore

few = st.integers(0, 3)
moments = st.integers(0, 5)
targets = st.sampled_from(["shop", "blog"])
owners = st.sampled_from(["a", "b"])
notices = st.builds(lambda n, due: notice(f"e{n}/oncall", due, created=due), few, moments)
watches = st.builds(
    lambda n, target, version, state, end, told: watch(
        f"w{n}", version, target=target, state=state, opened_at=at(n % 2), ended_at=end and at(end), incident=told
    ),
    few,
    targets,
    st.integers(0, 4),
    st.sampled_from(WatchState),
    st.none() | st.integers(1, 5),
    st.sampled_from([None, None, "i1"]),
)
maybe = st.none
steps = st.builds(
    Step,
    watches=st.lists(watches, max_size=2).map(tuple),
    revisions=st.lists(
        st.builds(lambda n, s, t: revision(f"r{n}", s, target=t, fingerprint=f"f{n % 2}"), few, moments, targets),
        max_size=2,
    ).map(tuple),
    bookmark=maybe() | st.builds(bookmark, targets),
    measurements=st.lists(
        st.builds(lambda n, r, s: measurement(f"w{n}", f"rule{r}", s), few, few, moments), max_size=3
    ).map(tuple),
    events=st.lists(
        st.builds(
            lambda n, s, t, w: event(f"e{n}", s, target=t, watch=w),
            few,
            moments,
            targets,
            st.sampled_from([None, "w0", "w1"]),
        ),
        max_size=3,
    ).map(tuple),
    evidence=st.lists(st.builds(lambda n: (f"w{n}", logs(f"log {n}")), few), max_size=2).map(tuple),
    incidents=st.lists(
        st.builds(lambda n, s, w: incident(f"i{n}", s, watch=f"w{w}"), few, moments, few), max_size=2
    ).map(tuple),
    rollback=maybe() | st.builds(lambda n, s, t: rollback(f"p{n}", s, target=t), few, moments, targets),
    notices=st.lists(notices, max_size=2).map(tuple),
    pause=maybe() | st.builds(pause, targets),
    resume=maybe() | targets,
)


class TwoStores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="watchdog-store-")
        self.memory = MemoryStore()
        self.url = f"sqlite:///{self.folder.name}/state.db"
        self.sqlite = open_store(self.url)

    def teardown(self) -> None:
        self.sqlite.close()
        self.folder.cleanup()

    def both(self, method: str, *arguments: Any) -> None:
        answers = []
        for store in (self.memory, self.sqlite):
            try:
                answers.append(getattr(store, method)(*arguments))
            except Conflict as error:
                answers.append(str(error))
        assert answers[0] == answers[1], method

    @rule(step=steps)
    def save(self, step: Step) -> None:
        self.both("save", step)

    @rule(number=few, data=st.data())
    def next_version(self, number: int, data: st.DataObject) -> None:
        """A write that fits, so that watches grow old too."""
        stored = self.memory.watch(f"w{number}")
        drawn = data.draw(watches)
        version = stored.version + 1 if stored else 1
        self.both("save", Step(watches=(drawn.model_copy(update={"id": f"w{number}", "version": version}),)))

    @rule(name=targets, owner=owners, now=moments, ttl=few)
    def claim(self, name: str, owner: str, now: int, ttl: int) -> None:
        self.both("claim", name, owner, at(now), timedelta(seconds=ttl))

    @rule(name=targets, owner=owners)
    def release(self, name: str, owner: str) -> None:
        self.both("release", name, owner)

    @rule(number=few, now=moments)
    def notice_sent(self, number: int, now: int) -> None:
        self.both("notice_sent", f"e{number}/oncall", at(now))

    @rule(number=few, again=st.none() | moments)
    def notice_failed(self, number: int, again: int | None) -> None:
        self.both("notice_failed", f"e{number}/oncall", None if again is None else at(again), "HTTP 503")

    @rule(before=moments)
    def prune(self, before: int) -> None:
        self.both("prune", at(before))

    @rule(page=targets, second=moments, values=st.lists(st.sampled_from([0.0, 1.5]), max_size=3))
    def keep_scrape(self, page: str, second: int, values: list[float]) -> None:
        self.both("keep_scrape", scrape(second, *values, page=page))

    @rule(before=moments, most=st.sampled_from([0, 150, 250, 10_000]))
    def prune_scrapes(self, before: int, most: int) -> None:
        self.both("prune_scrapes", at(before), most)

    @rule()
    def open_again(self) -> None:
        self.sqlite.close()
        self.sqlite = open_store(self.url)

    @invariant()
    def they_answer_the_same(self) -> None:
        assert everything(self.memory) == everything(self.sqlite)


def everything(store: Store) -> dict[str, Any]:
    names, shops = range(4), ("shop", "blog")
    return {
        "open": store.open_watches(),
        "watches": [store.watches(), store.watches("shop", 2)],
        "watch": [store.watch(f"w{n}") for n in names],
        "revisions": [store.revisions(t) for t in shops],
        "fingerprints": [store.revision_by_fingerprint(t, f"f{n}") for t in shops for n in names],
        "bookmarks": [store.bookmark(t) for t in shops],
        "measurements": [store.measurements(f"w{n}", r, limit=3) for n in names for r in (None, "rule1")],
        "events": [store.events(w, t, 4) for w in (None, "w0") for t in (None, *shops)],
        "evidence": [store.evidence(f"w{n}") for n in names],
        "incidents": [store.incidents(), store.incidents("shop", 1), *(store.incident(f"i{n}") for n in names)],
        "rollbacks": [store.rollbacks(t, at(2)) for t in shops],
        "pauses": [store.pause(t) for t in shops],
        "owners": [store.owner(t, at(n)) for t in shops for n in names],
        "notices": [store.due_notices(at(n), 3) for n in names],
        "queue": store.queue(),
        "scrapes": [store.scrapes(t, at(-1), at(4)) for t in shops],
    }


TwoStores.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestTwoStores = pytest.mark.slow(TwoStores.TestCase)
