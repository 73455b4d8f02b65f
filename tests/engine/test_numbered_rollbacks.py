"""A platform like Helm: revisions have names, a rollback is one of them, and it tells of all that happens."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Guarded, present, rule, target
from watchdog.model.deploy import Phase
from watchdog.model.rollback import Objection, Objections
from watchdog.model.watch import WatchState
from watchdog.store.memory import MemoryStore
from watchdog.testing import FakePlatform


def guarded(**changes: object) -> Guarded:
    g = Guarded(target(**changes))
    g.world.numbers_rollbacks = True
    g.platform = FakePlatform({"shop": g.world}, resyncs=True)
    g.engine = g.another("me")
    g.run(3)
    return g


def crash_twice(g: Guarded) -> None:
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())


def recovered(g: Guarded) -> None:
    g.deploy("v2")
    g.run(2)
    crash_twice(g)
    g.until(lambda: g.watch.state is WatchState.recovered)


def test_the_rollbacks_own_revision_is_known_good_and_gets_no_watch() -> None:
    g = guarded()
    recovered(g)
    g.run(60)
    assert [w.state for w in g.store.watches("shop")] == [WatchState.recovered]
    made = present(g.store.revision("shop", "v1-again"))
    assert made.same_as == "v1"
    assert (made.known_good, made.known_good_because) == (True, "restored")
    assert present(g.store.bookmark("shop")).revision == "v1-again"


def test_the_next_bad_deploy_goes_back_to_it() -> None:
    g = guarded(rollback={"verify_for": "5s", "first_known_good": "running", "cooldown": "1s"})
    recovered(g)
    g.deploy("v3")
    g.run(2)
    crash_twice(g)
    g.until(lambda: g.watch.state is WatchState.recovered)
    assert g.world.acts == ["v1", "v1-again"]


def test_a_rollback_that_fails_is_in_the_ledger_and_is_no_deploy() -> None:
    g = guarded()
    g.deploy("v2")
    g.run(2)
    crash_twice(g)
    g.until(lambda: g.watch.state is WatchState.verifying)
    g.world.phase, g.world.reason = Phase.failed, "pods never became ready"
    g.probe.values = dict.fromkeys(g.probe.values, 0.0)
    g.until(lambda: g.watch.state is WatchState.failed)
    g.run(60)
    assert len(g.store.watches("shop")) == 1
    assert present(g.store.revision("shop", "v1-again")).known_good is False


def test_a_rollback_by_hand_ends_the_watch_and_is_not_judged() -> None:
    g = guarded()
    g.deploy("v2")
    g.run(5)
    g.world.bring_back("v1")
    g.engine.wake("shop")
    g.run(2)
    assert g.watch.state is WatchState.superseded
    assert g.watch.end_reason == "someone rolled back to v1"
    assert g.kinds()[-2:] == ["watch.superseded", "rollback.seen"]
    assert present(g.store.revision("shop", "v1-again")).known_good is True
    crash_twice(g)
    g.engine.wake("shop")
    g.run(120)
    assert g.world.acts == []


def test_nothing_is_done_beside_an_upgrade_that_is_under_way() -> None:
    g = guarded()
    g.world.busy = "helm upgrade is pending"
    g.deploy("v2", phase=Phase.arriving)
    g.run(2)
    crash_twice(g)
    g.run(240)
    assert g.watch.state is WatchState.condemned
    assert g.world.acts == []
    g.world.busy = ""
    g.until(lambda: g.watch.state is WatchState.recovered)


@pytest.mark.parametrize(("hold", "state"), [(True, WatchState.held), (False, WatchState.blocked)])
def test_what_the_policies_leave_to_a_person(hold: bool, state: WatchState) -> None:
    g = guarded()
    g.world.policies = (Objection(name=Objections.migration_ran, reason="hook Job migrate ran", hold=hold),)
    g.deploy("v2")
    g.run(2)
    crash_twice(g)
    g.until(lambda: g.watch.state is state)
    assert present(g.watch.objection).name is Objections.migration_ran
    assert g.world.acts == []
    assert g.store.evidence(g.watch.id)


def test_a_reversible_rule_rolls_back_over_a_migration() -> None:
    crash = rule(
        "crash-loop",
        trigger="crash",
        measure={"kind": "crashes"},
        fail_when="value >= 2",
        consecutive_failures=1,
        reversible=True,
    )
    g = Guarded(target(crash))
    g.world.policies = (Objection(name=Objections.migration_ran, reason="hook Job migrate ran", hold=True),)
    g.run(3)
    g.deploy("v2")
    g.run(2)
    crash_twice(g)
    g.until(lambda: g.watch.state is WatchState.recovered)


def test_an_idle_target_costs_no_look_and_no_claim() -> None:
    g = guarded()
    looks = len(g.world.looks)
    g.run(600)
    assert len(g.world.looks) == looks
    assert g.store.owner("shop", g.clock.now()) is None


def test_a_glance_is_enough_until_something_is_watched() -> None:
    g = guarded(rollback={"first_known_good": "none"})
    assert not any(g.world.looks)
    g.deploy("v2")
    g.run(3)
    assert g.world.looks[-1]
    assert g.watch.state is WatchState.arriving or g.watch.state is WatchState.watching


def test_a_process_that_is_new_finds_the_deploy_it_missed() -> None:
    store = MemoryStore()
    g = Guarded(target(), store)
    g.platform = FakePlatform({"shop": g.world}, resyncs=True)
    g.engine = g.another("me")
    g.run(3)
    g.engine.stop()
    g.world.deploy("v2")  # nobody is told
    g.engine = g.another("next")
    g.run(3)
    assert g.watch.revision == "v2"


@pytest.mark.parametrize("accepts", ["running", "none"])
def test_what_is_seen_first_is_recorded_without_another_wake(accepts: str) -> None:
    g = guarded(rollback={"first_known_good": accepts})
    g.run(3)
    seen = present(g.store.revision("shop", "v1"))
    assert (seen.exact, seen.note) == (True, "")
    assert bool(seen.recorded) is (accepts == "running")
