"""What holds whatever happens, in whatever order: deploys, crashes, outages, deaths, jumps of the clock, people."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.conftest import MakeGuarded, present
from tests.engine.random_world import HARM, HARMLESS, PEOPLE, TROUBLE, RandomWorld, happenings
from watchdog.model.deploy import Revision
from watchdog.model.rollback import ActResult, Plan
from watchdog.model.target import Target
from watchdog.model.watch import WatchState

LAWS = settings(
    max_examples=int(os.environ.get("LAWS_EXAMPLES", "40")),
    derandomize=os.environ.get("CI", "").lower() == "true",
)


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """What the engine logs of a thousand worlds would bury the one that fails."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


Happenings = list[tuple[str, int]]


@pytest.mark.slow
@LAWS
@given(happenings(*HARM, *HARMLESS, *PEOPLE, *TROUBLE), st.integers(0, 999))
def test_the_laws_hold_in_any_world(happening: Happenings, seed: int) -> None:
    """The witness asserts, at each write and act: one act for one plan, stored before with its line in the ledger; to
    a revision that is known good and was not condemned; one guard at a time; each end told once."""
    world = RandomWorld(seed)
    for what, how in happening:
        world.do(what, how)
    world.calm()
    assert [(w.revision, w.state) for w in world.store.open_watches()] == [], "a watch never ends"
    for watch in world.store.watches("shop", limit=1000):
        assert len([r for r in world.store.rollbacks("shop", since=watch.opened_at) if r.watch == watch.id]) <= 1


@LAWS
@given(happenings(*HARM, *HARMLESS, *TROUBLE), st.integers(0, 999))
def test_once_all_is_quiet_what_runs_is_recorded(happening: Happenings, seed: int) -> None:
    world = RandomWorld(seed)
    for what, how in happening:
        world.do(what, how)
    world.calm()
    mark = present(world.store.bookmark("shop"))
    running = present(world.store.revision("shop", mark.revision))
    assert mark.fingerprint == f"fp-{world.world.running}"
    if running.fingerprint == mark.fingerprint:  # else it is what a failed rollback left behind
        assert running.recorded == {"name": world.world.running}


@pytest.mark.slow
@LAWS
@given(happenings(*HARMLESS, "good_deploy"), st.integers(0, 999))
def test_without_evidence_of_harm_nothing_is_ever_condemned(happening: Happenings, seed: int) -> None:
    world = RandomWorld(seed)
    for what, how in happening:
        world.do(what, how)
    world.calm()
    assert world.world.acts == []
    assert not any(w.condemned_at for w in world.store.watches("shop", limit=1000))


@pytest.mark.slow
@LAWS
@given(happenings(*HARM, *HARMLESS), st.integers(0, 999))
def test_dry_run_never_acts(happening: Happenings, seed: int) -> None:
    world = RandomWorld(seed, mode="dry_run")
    for what, how in happening:
        world.do(what, how)
    world.calm()
    assert world.world.acts == []


def test_a_deploy_between_the_act_and_its_proof_is_watched(
    guarded: MakeGuarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what runs would be taken for the remains of a failed rollback, and nobody would watch it."""
    g = guarded()
    g.deploy("v2")
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    act = g.actor.execute

    def and_someone_deploys(target: Target, plan: Plan, to: Revision) -> ActResult:
        result = act(target, plan, to)
        g.world.deploy("v3")
        return result

    monkeypatch.setattr(g.actor, "execute", and_someone_deploys)
    g.run(5)
    new, old = g.store.watches("shop")
    assert (old.state, new.revision, new.state) == (WatchState.superseded, "v3", WatchState.watching)
    assert "someone deployed in the middle of the rollback (revision v3 runs)" in old.end_reason
    (entry,) = g.store.rollbacks("shop", since=old.opened_at)
    assert present(entry.result).ok, "what the act answered stays on record"
