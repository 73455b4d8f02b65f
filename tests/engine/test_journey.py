"""The journey of a deploy, told second by second."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import CRASH, PROBE, Guarded, MakeGuarded, present, rule, target
from watchdog.model.deploy import Phase
from watchdog.model.measurement import Verdict
from watchdog.model.rollback import Objections
from watchdog.model.watch import WatchState
from watchdog.testing import FakeActor


def test_what_ran_at_first_sight_is_not_a_deploy(guarded: MakeGuarded) -> None:
    g = guarded()
    g.run(60)
    assert g.store.watches("shop") == []
    assert [r.id for r in g.store.revisions("shop")] == ["v1"]
    assert present(g.store.revision("shop", "v1")).known_good_because == "running"


def test_a_healthy_deploy_becomes_known_good_after_its_bake_time(guarded: MakeGuarded) -> None:
    g = guarded()
    g.deploy("v2")
    took = g.until(lambda: g.watch.state is WatchState.passed)
    assert 120 <= took <= 130
    assert present(g.store.revision("shop", "v2")).known_good
    assert g.kinds() == ["deploy.seen", "watch.passed"]
    assert isinstance(g.actor, FakeActor)
    assert g.actor.kept["shop"] == ["v2", "v1"]


def test_slow_answers_are_rolled_back_and_the_recovery_is_proved(guarded: MakeGuarded) -> None:
    g = guarded()
    g.deploy("v2")
    g.run(15)
    g.gauge.values["latency"] = 1.84
    g.until(lambda: g.watch.state is WatchState.verifying)
    assert g.world.acts == ["v1"]
    g.gauge.values["latency"] = 0.2
    g.until(lambda: g.watch.state is WatchState.recovered)
    assert g.kinds() == [
        "deploy.seen",
        "rule.tripped",
        "rollback.started",
        "rollback.finished",
        "incident.recovered",
    ]
    watch = g.watch
    assert present(watch.decision).rules == ("latency",)
    assert "1.84" in present(watch.decision).reason
    assert present(watch.plan).to_revision == "v1"
    assert present(g.store.revision("shop", "v2")).condemned
    assert not present(g.store.revision("shop", "v2")).known_good
    incident = present(g.store.incident(present(watch.incident)))
    assert incident.state is WatchState.recovered
    assert incident.closed_at == watch.ended_at
    assert [e.name for e in g.store.evidence(watch.id)] == ["api"]
    assert present(g.store.bookmark("shop")).revision == "v1"


def test_its_own_rollback_is_not_a_deploy(guarded: MakeGuarded) -> None:
    g = guarded()
    g.deploy("v2")
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    g.until(lambda: g.watch.state is WatchState.recovered)
    g.run(120)
    assert len(g.store.watches("shop")) == 1


def test_a_crash_loop_trips_on_the_second_exit_while_the_rollout_is_arriving(guarded: MakeGuarded) -> None:
    g = guarded()
    g.deploy("v2", phase=Phase.arriving)
    g.run(2)
    g.world.crash(g.clock.now())
    g.run(3)
    assert g.watch.state is WatchState.arriving
    g.world.crash(g.clock.now())
    g.engine.wake("shop")
    g.run(1)
    assert g.world.acts == ["v1"]


def test_a_failed_one_shot_service_is_a_failed_deploy(guarded: MakeGuarded) -> None:
    g = guarded()
    g.deploy("v2", phase=Phase.failed)
    g.world.reason = "service migrate exited with code 3"
    g.run(1)
    assert g.world.acts == ["v1"]
    assert "code 3" in present(g.watch.decision).reason


def test_never_ready_trips_after_the_rollouts_time(guarded: MakeGuarded) -> None:
    g = guarded(watch={"bake_time": "2m", "interval": "5s", "rollout_timeout": "1m", "initial_delay": "0s"})
    g.deploy("v2", phase=Phase.arriving)
    g.run(58)
    assert g.world.acts == []
    g.until(lambda: g.world.acts == ["v1"], 15)


def test_a_newer_deploy_supersedes_the_watch(guarded: MakeGuarded) -> None:
    g = guarded()
    g.deploy("v2")
    g.run(30)
    g.deploy("v3")
    g.run(1)
    new, old = g.store.watches("shop")
    assert (old.revision, old.state) == ("v2", WatchState.superseded)
    assert (new.revision, new.state, new.previous) == ("v3", WatchState.arriving, "v2")


def test_a_rollout_that_passes_through_several_fingerprints_is_one_deploy(guarded: MakeGuarded) -> None:
    g = guarded()
    g.world.named = False
    g.deploy("v2", phase=Phase.arriving)
    g.run(2)
    g.deploy("v2b", phase=Phase.arriving)
    g.run(2)
    g.world.phase = Phase.complete
    g.run(5)
    (watch,) = g.store.watches("shop")
    assert watch.state is WatchState.watching
    assert present(g.store.revision("shop", watch.revision)).fingerprint == "fp-v2b"


def test_a_target_that_is_taken_down_is_not_rolled_back(guarded: MakeGuarded) -> None:
    g = guarded()
    g.deploy("v2")
    g.run(20)
    g.world.state = "exited"
    g.probe.values.clear()
    g.run(60)
    assert g.watch.state is WatchState.superseded
    assert g.world.acts == []


def test_a_deploy_of_the_condemned_revision_is_watched_like_any_other(guarded: MakeGuarded) -> None:
    g = guarded(rollback={"verify_for": "5s", "first_known_good": "running", "cooldown": "0s"})
    g.deploy("v2")
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    g.until(lambda: g.watch.state is WatchState.recovered)
    g.deploy("v2")
    g.run(1)
    assert g.watch.revision == "v2"
    g.until(lambda: g.watch.state is WatchState.passed)
    assert present(g.store.revision("shop", "v2")).known_good
    assert not present(g.store.revision("shop", "v2")).condemned


class TestVerification:
    def test_a_failed_act_is_told_and_never_tried_again(self, guarded: MakeGuarded) -> None:
        g = guarded()
        g.world.act_fails = "docker compose exited with 1"
        g.deploy("v2")
        g.world.crash(g.clock.now())
        g.world.crash(g.clock.now())
        g.until(lambda: g.watch.state is WatchState.failed)
        g.world.act_fails = None
        g.run(600)
        assert g.world.acts == []
        assert g.kinds()[-1] == "incident.failed"
        assert "docker compose exited with 1" in g.story()[-1]

    def test_a_rule_that_still_fails_makes_it_failed(self, guarded: MakeGuarded) -> None:
        g = guarded()
        g.deploy("v2")
        g.run(15)
        g.gauge.values["latency"] = 1.84
        took = g.until(lambda: g.watch.state is WatchState.failed)
        assert took < 240
        assert g.world.acts == ["v1"]
        g.run(300)
        assert g.world.acts == ["v1"]

    def test_a_probe_that_fails_makes_it_failed(self, guarded: MakeGuarded) -> None:
        g = guarded(CRASH, PROBE)
        g.deploy("v2")
        g.probe.values = {str(PROBE.measure): 0.0}
        g.world.crash(g.clock.now())
        g.world.crash(g.clock.now())
        g.until(lambda: g.watch.state is WatchState.failed)
        assert "probe-api" in g.watch.end_reason

    def test_a_deploy_during_verification_is_watched(self, guarded: MakeGuarded) -> None:
        g = guarded()
        g.deploy("v2")
        g.world.crash(g.clock.now())
        g.world.crash(g.clock.now())
        g.until(lambda: g.watch.state is WatchState.verifying)
        g.run(3)
        g.deploy("v3")
        g.run(2)
        assert g.watch.revision == "v3"
        assert g.store.watches("shop")[1].state is WatchState.superseded


class TestNoData:
    def test_no_data_never_rolls_back(self, guarded: MakeGuarded) -> None:
        g = guarded(rule())
        g.gauge.values.clear()
        g.deploy("v2")
        g.run(600)
        assert g.world.acts == []

    def test_a_source_that_fails_extends_the_watch_and_says_so(self, guarded: MakeGuarded) -> None:
        g = guarded()
        g.deploy("v2")
        g.run(30)
        g.gauge.error = "Prometheus did not answer"
        g.run(60)
        assert g.watch.state is WatchState.watching
        g.gauge.error = None
        took = g.until(lambda: g.watch.state is WatchState.passed)
        assert took + 90 >= 120 + 55
        assert "watch.blind" in g.kinds()
        assert "watch.extended" in g.kinds()
        assert g.world.acts == []

    def test_a_source_that_stays_away_leads_to_a_hold_not_a_rollback(self, guarded: MakeGuarded) -> None:
        g = guarded(watch={"bake_time": "1m", "initial_delay": "0s", "max_extension": "5m"})
        g.gauge.error = "Prometheus did not answer"
        g.deploy("v2")
        g.until(lambda: g.watch.state is WatchState.held)
        assert g.world.acts == []

    def test_a_platform_that_does_not_answer_is_an_error_not_a_crash(self, guarded: MakeGuarded) -> None:
        g = guarded(CRASH)
        g.deploy("v2")
        g.run(5)
        g.world.broken = "the Docker engine does not answer"
        g.run(30)
        verdicts = {m.verdict for m in g.store.measurements(g.watch.id)[-3:]}
        assert verdicts == {Verdict.error}
        g.world.broken = None
        g.run(200)
        assert g.watch.state is WatchState.passed
        assert g.world.acts == []


class TestGuard:
    def crash(self, g: Guarded) -> None:
        g.deploy("v2")
        g.world.crash(g.clock.now())
        g.world.crash(g.clock.now())
        g.run(3)

    def test_dry_run_does_everything_but_the_act(self, guarded: MakeGuarded) -> None:
        g = guarded(mode="dry_run")
        self.crash(g)
        assert g.world.acts == []
        assert present(g.watch.objection).name is Objections.dry_run
        assert g.kinds() == ["deploy.seen", "rule.tripped", "rollback.dry_run"]
        assert g.store.evidence(g.watch.id)

    def test_no_known_good_revision_holds(self, guarded: MakeGuarded) -> None:
        g = guarded(rollback={"first_known_good": "none"})
        self.crash(g)
        assert g.world.acts == []
        held = g.watch
        assert held.state is WatchState.held
        assert present(held.objection).name is Objections.no_safe_revision
        g.run(25 * 3600, step=25)
        assert g.watch.state is WatchState.expired

    def test_cooldown(self, guarded: MakeGuarded) -> None:
        g = guarded(rollback={"verify_for": "5s", "first_known_good": "running", "cooldown": "30m"})
        self.crash(g)
        g.until(lambda: g.watch.state is WatchState.recovered)
        g.deploy("v3")
        g.world.crash(g.clock.now())
        g.world.crash(g.clock.now())
        g.run(3)
        assert g.world.acts == ["v1"]
        assert g.watch.state is WatchState.blocked
        assert present(g.watch.objection).name is Objections.cooldown
        assert g.kinds().count("incident.blocked") == 1

    def test_max_per_day(self, guarded: MakeGuarded) -> None:
        g = guarded(rollback={"verify_for": "5s", "first_known_good": "running", "cooldown": "0s", "max_per_day": 1})
        self.crash(g)
        g.until(lambda: g.watch.state is WatchState.recovered)
        g.deploy("v3")
        g.world.crash(g.clock.now())
        g.world.crash(g.clock.now())
        g.run(3)
        assert g.world.acts == ["v1"]
        assert present(g.watch.objection).name is Objections.max_per_day

    def test_a_revision_that_is_gone(self, guarded: MakeGuarded) -> None:
        g = guarded()
        g.world.lost.add("v1")
        self.crash(g)
        assert present(g.watch.objection).name is Objections.cannot_plan

    def test_another_owner_leaves_it_alone(self, guarded: MakeGuarded) -> None:
        g = guarded()
        other = g.another("other")
        g.deploy("v2")
        g.world.crash(g.clock.now())
        g.world.crash(g.clock.now())
        other.tick(g.clock.advance(1))
        assert g.store.watches("shop") == []
        g.run(2)
        assert g.world.acts == ["v1"]


@pytest.mark.parametrize("action", ["alert", "hold"])
def test_other_actions(guarded: MakeGuarded, action: str) -> None:
    g = guarded(rule(action=action))
    g.deploy("v2")
    g.gauge.values["latency"] = 2.0
    g.run(60)
    assert g.world.acts == []
    assert g.kinds().count("rule.tripped") == 1
    assert g.watch.state is (WatchState.held if action == "hold" else WatchState.watching)


def test_a_rule_in_dry_run_is_told_once_and_decides_nothing(guarded: MakeGuarded) -> None:
    g = guarded(rule(mode="dry_run"))
    g.deploy("v2")
    g.gauge.values["latency"] = 2.0
    g.until(lambda: g.watch.state is WatchState.passed, 700)
    assert g.kinds() == ["deploy.seen", "rule.tripped", "watch.passed"]


GOOD = {"first_known_good": "running"}


class TestFirstSight:
    def test_what_still_starts_is_not_called_good_before_it_is_ready(self) -> None:
        g = Guarded(target())
        g.world.phase = Phase.arriving
        g.run(30)
        assert g.store.bookmark("shop") is None
        g.world.phase = Phase.complete
        g.run(2)
        assert present(g.store.revision("shop", "v1")).known_good

    def test_a_crash_loop_is_never_called_good(self) -> None:
        g = Guarded(target(watch={"bake_time": "2m", "rollout_timeout": "1m"}))
        g.world.crash(g.clock.now())
        g.run(70)
        assert g.store.bookmark("shop") is not None
        assert not present(g.store.revision("shop", "v1")).known_good


def test_an_error_nobody_foresaw_is_reported_once_a_minute_and_stops_nobody_else() -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise ZeroDivisionError("a bug")

    g = Guarded(target())
    g.platform = Broken()
    g.engine = g.another("me")
    for _ in range(100):
        g.engine.tick(g.clock.advance(1))
    assert 1 <= len(g.errors) <= 2
    assert g.engine.last_tick == g.clock.now()


def test_a_proof_shorter_than_the_interval_is_measured_often_enough() -> None:
    g = Guarded(target(watch={"bake_time": "2m", "interval": "30s"}, rollback={"verify_for": "3s", **GOOD}))
    g.run(3)
    g.deploy("v2")
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    took = g.until(lambda: g.watch.state is WatchState.recovered)
    assert took <= 8
