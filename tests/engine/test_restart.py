"""Killed at any moment, it goes on where it was: no rollback is lost, none is done twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import Guarded, target
from watchdog.act.base import Actor
from watchdog.model.deploy import Phase, Revision
from watchdog.model.rollback import ActResult, Plan
from watchdog.model.target import Target
from watchdog.model.watch import WatchState
from watchdog.store.memory import MemoryStore


class Killed(BaseException):
    """kill -9: nothing catches it."""


class Mortal:
    """Passes calls on to the real thing; the n-th call of `deadly` kills the process before or after it took effect."""

    def __init__(self, inner: object, deadly: str, when: int, after: bool) -> None:
        self._inner, self._deadly, self._left, self._after = inner, deadly, when, after

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._inner, name)
        if name != self._deadly:
            return real

        def call(*args: object, **kwargs: object) -> object:
            self._left -= 1
            if self._left != 0:
                return real(*args, **kwargs)
            if self._after:
                real(*args, **kwargs)
            raise Killed

        return call


def crashing_deploy(g: Guarded) -> None:
    g.deploy("v2", phase=Phase.arriving)
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())


def run_to_the_end(g: Guarded) -> None:
    for _ in range(300):
        g.run(1)
        watches = g.store.watches("shop")
        if watches and not watches[0].state.open:
            return


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("when", range(1, 16))
def test_killed_at_any_write(when: int, after: bool) -> None:
    store = MemoryStore()
    g = Guarded(target(), store)
    g.run(3)
    g.store = Mortal(store, "save", when, after)
    g.engine = g.another("me")
    crashing_deploy(g)
    try:
        run_to_the_end(g)
    except Killed:
        g.store = store
        g.engine = g.another("after the restart")
        g.clock.advance(31)
        run_to_the_end(g)
    assert g.watch.state is WatchState.recovered
    assert g.world.acts == ["v1"]
    (rollback,) = store.rollbacks("shop", since=g.watch.opened_at)
    assert rollback.result is not None
    told = g.kinds()
    for once in ("deploy.seen", "rule.tripped", "rollback.started", "rollback.finished", "incident.recovered"):
        assert told.count(once) == 1, told


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "after it took effect"])
def test_killed_in_the_act(after: bool) -> None:
    g = Guarded(target())
    g.run(3)
    real = g.actor
    g.actor = Mortal(real, "execute", 1, after)
    g.engine = g.another("me")
    crashing_deploy(g)
    with pytest.raises(Killed):
        run_to_the_end(g)
    g.actor = real
    g.engine = g.another("after the restart")
    g.clock.advance(31)
    run_to_the_end(g)
    assert g.watch.state is WatchState.recovered
    assert g.world.acts == ["v1"]


def test_someone_deployed_while_the_watchdog_was_dead_in_the_act() -> None:
    g = Guarded(target())
    g.run(3)
    real = g.actor
    g.actor = Mortal(real, "execute", 1, after=False)
    g.engine = g.another("me")
    crashing_deploy(g)
    with pytest.raises(Killed):
        run_to_the_end(g)
    g.world.deploy("v3")
    g.actor = real
    g.engine = g.another("after the restart")
    g.clock.advance(31)
    g.run(5)
    new, old = g.store.watches("shop")
    assert old.state is WatchState.superseded
    assert "abandoned" in old.end_reason
    assert (new.revision, new.state) == ("v3", WatchState.watching)
    assert g.world.acts == []


def test_killed_twice_in_the_act_is_left_to_a_person() -> None:
    g = Guarded(target())
    g.run(3)
    real = g.actor
    for turn in range(2):
        g.actor = Mortal(real, "execute", 1, after=False)
        g.engine = g.another(f"process {turn}")
        if turn == 0:
            crashing_deploy(g)
        else:
            g.clock.advance(31)
        with pytest.raises(Killed):
            run_to_the_end(g)
    g.actor = real
    g.engine = g.another("the last")
    g.clock.advance(31)
    run_to_the_end(g)
    assert g.watch.state is WatchState.failed
    assert "killed twice" in g.watch.end_reason
    assert g.world.acts == []


def test_time_without_the_daemon_is_blind_time() -> None:
    g = Guarded(target())
    g.run(3)
    g.deploy("v2")
    g.run(60)
    g.engine = g.another("after a night")
    g.clock.advance(8 * 3600)
    g.run(5)
    assert g.watch.blind.total_seconds() >= 8 * 3600


@pytest.mark.parametrize("jump", [-7200, -60, 600, 3000])
def test_a_clock_that_jumps_neither_passes_nor_trips_a_watch(jump: float) -> None:
    g = Guarded(target())
    g.run(3)
    g.deploy("v2")
    g.run(30)
    g.clock.advance(jump)
    g.run(30)
    watch = g.watch
    assert watch.state is WatchState.watching
    took = g.until(lambda: not g.watch.state.open)
    assert g.watch.state is WatchState.passed
    assert 50 <= took <= 75


def test_a_failed_act_whose_result_is_as_planned_goes_on_to_the_proof() -> None:
    class Complaining:
        def __init__(self, inner: Actor) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def execute(self, target: Target, plan: Plan, to: Revision) -> ActResult:
            self._inner.execute(target, plan, to)
            return ActResult(ok=False, reason="exited with 1 over something else")

    g = Guarded(target())
    g.run(3)
    g.actor = Complaining(g.actor)
    g.engine = g.another("me")
    crashing_deploy(g)
    run_to_the_end(g)
    assert g.watch.state is WatchState.recovered
