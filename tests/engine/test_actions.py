"""What people may do, with the engine that carries it out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.engine.conftest import Guarded, MakeGuarded, present
from watchdog.actions import Actions
from watchdog.errors import Refused, UnknownName
from watchdog.model.rollback import Objections
from watchdog.model.watch import WatchState
from watchdog.roster import Roster


@pytest.fixture
def g(guarded: MakeGuarded) -> Guarded:
    made = guarded(rollback={"verify_for": "5s", "first_known_good": "running", "cooldown": "30m"})
    made.deploy("v2")
    made.until(lambda: made.watch.state is WatchState.passed)
    return made


def actions(g: Guarded) -> Actions:
    return Actions(g.store, Roster([g.target]), g._notices, g.clock, lambda name: g.engine.scene(name, g.clock.now()))


def test_a_person_rolls_back_with_the_same_proof_and_incident(g: Guarded) -> None:
    watch = actions(g).rollback("shop", None, "ada")
    g.until(lambda: not g.watch.state.open)
    assert g.watch.id == watch.id
    assert g.watch.state is WatchState.recovered
    assert g.world.acts == ["v1"]
    assert present(g.store.incident(present(g.watch.incident))).state is WatchState.recovered
    assert present(g.watch.plan).by == "ada"
    assert not present(g.watch.plan).automatic


def test_to_a_named_revision_even_one_that_is_not_known_good(g: Guarded) -> None:
    g.deploy("v3")
    g.run(10)
    g.deploy("v4")
    g.until(lambda: g.watch.state is WatchState.passed)
    actions(g).rollback("shop", "v3", "ada")
    g.until(lambda: not g.watch.state.open)
    assert g.world.acts == ["v3"]


def test_a_pause_stops_automatic_rollbacks_but_not_a_person(g: Guarded) -> None:
    actions(g).pause("shop", timedelta(hours=2), "load test", "ada")
    g.deploy("v3")
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    g.run(3)
    assert present(g.watch.objection).name is Objections.paused
    assert "load test" in present(g.watch.objection).reason
    actions(g).rollback("shop", None, "ada")
    g.until(lambda: not g.watch.state.open)
    assert g.world.acts == ["v2"]
    assert actions(g).resume("shop", "ada")
    assert not actions(g).resume("shop", "ada")
    assert {"target.paused", "target.resumed"} <= set(g.kinds())


def test_a_pause_that_is_over_stops_nothing(g: Guarded) -> None:
    actions(g).pause("shop", timedelta(seconds=10), "short", "ada")
    g.run(15)
    g.deploy("v3")
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    g.run(3)
    assert g.world.acts == ["v2"]


def test_a_held_deploy_is_approved(guarded: MakeGuarded) -> None:
    g = guarded(rollback={"first_known_good": "none"})
    g.deploy("v2")
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    g.run(3)
    held = g.watch
    assert held.state is WatchState.held
    actions(g).approve("shop", None, "ada")
    assert g.watch.state is WatchState.passed
    assert present(g.store.revision("shop", "v2")).known_good_because == "approved"
    assert present(g.store.incident(present(g.watch.incident))).closed_at is not None


def test_what_runs_can_be_approved_to_begin_with(guarded: MakeGuarded) -> None:
    g = guarded(rollback={"first_known_good": "none"})
    assert actions(g).approve("shop", None, "ada").id == "v1"
    g.deploy("v2")
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    g.run(3)
    assert g.world.acts == ["v1"]


def test_preview_changes_nothing(g: Guarded) -> None:
    before = (g.store.watches("shop"), g.store.events(target="shop"))
    preview = actions(g).preview("shop", None, "ada")
    assert (preview.from_revision, preview.to_revision, preview.objections) == ("v2", "v1", ())
    assert present(preview.draft).changes == ("api",)
    assert (g.store.watches("shop"), g.store.events(target="shop")) == before


def test_two_rollbacks_at_once_are_refused(g: Guarded) -> None:
    actions(g).rollback("shop", None, "ada")
    g.until(lambda: g.watch.state is WatchState.verifying)
    with pytest.raises(Refused, match="under way"):
        actions(g).rollback("shop", None, "bob")


def test_names_that_are_not_known_list_those_that_are(g: Guarded) -> None:
    with pytest.raises(UnknownName, match="it has: shop"):
        actions(g).rollback("shoop", None, "ada")
    with pytest.raises(UnknownName, match="newest first: v2, v1"):
        actions(g).rollback("shop", "v9", "ada")


def test_going_back_to_what_runs_is_an_objection(g: Guarded) -> None:
    actions(g).rollback("shop", "v2", "ada")
    g.run(3)
    assert g.watch.state is WatchState.blocked
    assert present(g.watch.objection).name is Objections.no_safe_revision
