"""Releases that come and go, under one pattern of the config."""

from __future__ import annotations

from tests.engine.conftest import CRASH
from watchdog.engine import Engine, Parts
from watchdog.engine.loop import LOOKS_A_TURN
from watchdog.jobs import Inline
from watchdog.model.target import HelmSpec, Target
from watchdog.model.watch import WatchState
from watchdog.roster import Roster
from watchdog.store.memory import MemoryStore
from watchdog.testing import FakeActor, FakeClock, FakePlatform, World

PATTERN = Target.model_validate(
    {
        "name": "all",
        "spec": HelmSpec(namespace="tools", release="*"),
        "rules": (CRASH,),
        "watch": {"bake_time": "1m", "settle": "2s"},
        "rollback": {"verify_for": "5s"},
    }
)


class Found:
    def __init__(self, *releases: str) -> None:
        self.clock, self.store = FakeClock(), MemoryStore()
        self.worlds = {f"all.{name}": World() for name in releases}
        self.platform, self.actor = FakePlatform(self.worlds, resyncs=True), FakeActor(self.worlds)
        self.engine = self.another()

    def another(self) -> Engine:
        self.roster = Roster([PATTERN])
        parts = Parts(
            roster=self.roster, platforms={"helm": self.platform}, actors={"helm": self.actor}, gauges={},
            store=self.store, jobs=Inline(), owner="me", notices=lambda _: (),
        )  # fmt: skip
        return Engine(parts)

    def run(self, seconds: int, *woken: str) -> None:
        for name in woken:
            self.engine.wake(name)
        for _ in range(seconds):
            self.engine.tick(self.clock.advance(1))


def test_a_release_that_is_heard_of_is_guarded() -> None:
    f = Found("api", "web")
    f.run(2, "all.api", "all.web")
    assert sorted(f.roster) == ["all.api", "all.web"]
    f.worlds["all.api"].deploy("v2")
    f.run(90, "all.api")
    (watch,) = f.store.watches("all.api")
    assert (watch.state, watch.revision) == (WatchState.passed, "v2")
    assert f.store.watches("all.web") == []


def test_a_release_that_is_gone_is_forgotten_and_may_come_back() -> None:
    f = Found("api")
    f.run(2, "all.api")
    f.worlds["all.api"].deploy("")
    f.run(2, "all.api")
    assert list(f.roster) == []
    f.worlds["all.api"].deploy("v1")
    f.run(2, "all.api")
    assert list(f.roster) == ["all.api"]


def test_an_open_watch_is_taken_up_by_a_process_that_heard_of_nothing_yet() -> None:
    f = Found("api")
    f.run(2, "all.api")
    f.worlds["all.api"].deploy("v2")
    f.run(5, "all.api")
    f.engine.stop()
    f.engine = f.another()
    f.run(90)
    assert f.store.watches("all.api")[0].state is WatchState.passed


def test_a_release_that_rests_is_not_kept_and_its_next_deploy_follows_what_the_store_knows() -> None:
    f = Found("api")
    f.run(2, "all.api")
    place = f.engine.scene("all.api", f.clock.now()).place
    assert (place.snapshot, place.bookmark) == (None, None)
    assert f.engine.looked("all.api")
    looks = f.worlds["all.api"].looks
    f.run(120)
    assert f.worlds["all.api"].looks == looks
    f.worlds["all.api"].deploy("v2")
    f.run(2, "all.api")
    (watch,) = f.store.watches("all.api")
    assert (watch.revision, watch.previous) == ("v2", "v1")


def test_many_at_once_are_looked_at_over_some_turns() -> None:
    names = [f"r{n}" for n in range(LOOKS_A_TURN + 50)]
    f = Found(*names)
    f.run(1, *(f"all.{name}" for name in names))
    seen = sum(bool(world.looks) for world in f.worlds.values())
    assert seen == LOOKS_A_TURN
    f.run(1)
    assert all(world.looks for world in f.worlds.values())
