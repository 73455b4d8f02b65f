"""Which rules are due, what they are asked with, and what a snapshot answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest

from tests.engine.conftest import CRASH, FAILED, NEVER, PROBE, rule, target
from watchdog.engine.asking import context, due, judged_revision, platform_answer, verification_rules
from watchdog.model.deploy import Exit, Instance, Phase, Rollout, Snapshot
from watchdog.model.rollback import Draft, Plan
from watchdog.model.rule import CrashesMeasure, PrometheusMeasure, ReleaseMeasure, Rule
from watchdog.model.target import ComposeSpec
from watchdog.model.watch import Decision, DecisionKind, Progress, Watch, WatchState
from watchdog.testing import EPOCH

SHOP = target()


def watch(**changes: object) -> Watch:
    fields: dict[str, object] = {
        "id": "w-1", "target": "shop", "environment": "production", "platform": "command", "revision": "v2",
        "fingerprint": "fp", "opened_at": EPOCH, "changed_at": EPOCH, "seen_at": EPOCH, "settled_at": EPOCH,
        "state": WatchState.watching,
    }  # fmt: skip
    return Watch.model_validate(fields | changes)


def snapshot(
    *instances: Instance, exits: tuple[Exit, ...] = (), phase: Phase = Phase.complete, reason: str = ""
) -> Snapshot:
    return Snapshot(
        at=EPOCH, fingerprint="fp", instances=instances, exits=exits, rollout=Rollout(phase=phase, reason=reason),
        pods="shop-.*",
    )  # fmt: skip


def instance(service: str, **more: object) -> Instance:
    return Instance.model_validate({"id": service, "service": service, "name": f"{service}-1", **more})


def ended(service: str, **more: object) -> Exit:
    return Exit.model_validate({"instance": service, "service": service, "at": EPOCH, **more})


def test_what_templates_know() -> None:
    shop = target(vars={"job": "shop-api", "service": "mine"})
    assert context(shop, "v2", snapshot()) == {
        "target": "shop", "environment": "production", "namespace": "shop", "release": "shop", "revision": "v2",
        "pods": "shop-.*", "service": "mine", "job": "shop-api",
    }  # fmt: skip


def test_of_a_compose_project_the_release_is_the_project() -> None:
    shop = target(spec=ComposeSpec(project="shop-live", directory="/srv"))
    known = context(shop, "r1", None)
    assert (known["release"], known["namespace"], known["pods"]) == ("shop-live", "shop-live", "")


def test_in_verification_it_is_the_restored_revision_that_is_measured() -> None:
    plan = Plan(
        id="rb", target="shop", watch="w-1", from_revision="v2", from_fingerprint="fp", to_revision="v1",
        draft=Draft(), made_at=EPOCH,
    )  # fmt: skip
    assert judged_revision(watch(plan=plan)) == "v2"
    assert judged_revision(watch(plan=plan, state=WatchState.verifying)) == "v1"


class TestDue:
    """Initial delay 10 s, interval 5 s."""

    @pytest.mark.parametrize(
        ("what", "changes", "last", "at", "expected"),
        [
            ("before the initial delay", {}, None, 9.9, False),
            ("at its end", {}, None, 10, True),
            ("the rollout is not finished", {"settled_at": None}, None, 60, False),
            ("before the interval is over", {}, 10, 14.9, False),
            ("when it is", {}, 10, 15, True),
            ("verification has no initial delay", {"state": WatchState.verifying}, None, 0, True),
            ("but intervals", {"state": WatchState.verifying}, 0, 4, False),
            ("the clock went back", {}, 100, 50, True),
        ],
    )
    def test_of_a_query(
        self, what: str, changes: dict[str, object], last: float | None, at: float, expected: bool
    ) -> None:
        progress = Progress(last_at=EPOCH + timedelta(seconds=last) if last is not None else None)
        assert due(rule(), SHOP, watch(**changes), progress, EPOCH + timedelta(seconds=at)) is expected

    def test_a_rules_own_times_win(self) -> None:
        eager = rule(initial_delay="0s", interval="1s")
        assert due(eager, SHOP, watch(), Progress(), EPOCH)
        assert due(eager, SHOP, watch(), Progress(last_at=EPOCH), EPOCH + timedelta(seconds=1))

    @pytest.mark.parametrize("first", [CRASH, FAILED, NEVER], ids=lambda r: r.name)
    def test_crashes_and_the_release_count_from_the_first_moment(self, first: Rule) -> None:
        assert due(first, SHOP, watch(settled_at=None, state=WatchState.arriving), Progress(), EPOCH)


def test_a_recovery_must_pass_what_tripped_and_every_probe() -> None:
    tripped = watch(decision=Decision(kind=DecisionKind.rollback, reason="", rules=("latency",)))
    assert [r.name for r in verification_rules(SHOP, tripped)] == ["latency", "probe-api"]
    assert verification_rules(SHOP, watch()) == (PROBE,)


class TestCrashes:
    @pytest.mark.parametrize(
        ("count", "seen", "expected"),
        [
            ("exits", snapshot(instance("api")), {"api": 0}),
            (
                "exits",
                snapshot(instance("api"), instance("web"), exits=(ended("api"), ended("api"), ended("old"))),
                {"api": 2, "old": 1, "web": 0},
            ),
            ("oom_kills", snapshot(exits=(ended("api"), ended("api", oom_killed=True))), {"api": 1}),
            ("unhealthy", snapshot(instance("api", health="unhealthy"), instance("web")), {"api": 1, "web": 0}),
            ("unhealthy", snapshot(instance("api", health="starting")), {"api": 0}),
            ("down", snapshot(instance("api", state="exited", ended_abnormally=True)), {"api": 1}),
            ("down", snapshot(instance("api", state="exited")), {"api": 0}),
            ("down", snapshot(instance("api", state="restarting", ended_abnormally=True)), {"api": 0}),
            ("down", snapshot(instance("job", state="exited", ended_abnormally=True, one_shot=True)), {"job": 0}),
            ("exits", snapshot(), {}),
        ],
    )
    def test_one_sample_for_each_service(
        self, count: Literal["exits", "oom_kills", "unhealthy", "down"], seen: Snapshot, expected: dict[str, float]
    ) -> None:
        answer = platform_answer(CrashesMeasure(count=count), seen, SHOP, watch(), EPOCH)
        assert {s.labels["service"]: s.value for s in answer.samples} == expected
        assert answer.query == f"crashes: {count}"

    def test_the_labels_say_how_it_ended(self) -> None:
        seen = snapshot(exits=(ended("api", exit_code=1), ended("api", exit_code=137, reason="killed")))
        (sample,) = platform_answer(CrashesMeasure(), seen, SHOP, watch(), EPOCH).samples
        assert sample.labels == {"service": "api", "exit_code": "137", "reason": "killed"}
        seen = snapshot(instance("api", state="dead", ended_abnormally=True, exit_code=3))
        (sample,) = platform_answer(CrashesMeasure(count="down"), seen, SHOP, watch(), EPOCH).samples
        assert sample.labels == {"service": "api", "exit_code": "3"}


class TestRelease:
    """The rollout's time limit is 5 min."""

    def value(
        self, state: Literal["failed", "never_ready"], seen: Snapshot, of: Watch, minutes: float
    ) -> tuple[float, str]:
        now = EPOCH + timedelta(minutes=minutes)
        (sample,) = platform_answer(ReleaseMeasure(state=state), seen, SHOP, of, now).samples
        return sample.value, sample.labels.get("reason", "")

    def test_failed(self) -> None:
        bad = snapshot(phase=Phase.failed, reason="service migrate exited with code 3")
        assert self.value("failed", bad, watch(), 0) == (1, "service migrate exited with code 3")
        assert self.value("failed", snapshot(reason="fine"), watch(), 0) == (0, "")

    def test_never_ready(self) -> None:
        late = snapshot(phase=Phase.arriving, reason="api is starting")
        arriving = watch(settled_at=None, state=WatchState.arriving)
        assert self.value("never_ready", late, arriving, 4.9) == (0, "")
        assert self.value("never_ready", late, arriving, 5) == (1, "not ready after 5m: api is starting")
        assert self.value("never_ready", late, watch(), 60) == (0, "")

    def test_blind_time_does_not_count_against_it(self) -> None:
        blind = watch(settled_at=None, state=WatchState.arriving, blind=timedelta(minutes=2))
        late = snapshot(phase=Phase.arriving)
        assert self.value("never_ready", late, blind, 6) == (0, "")
        assert self.value("never_ready", late, blind, 7) == (1, "not ready after 5m")

    def test_in_verification_the_restored_one_must_be_complete(self) -> None:
        proving = watch(state=WatchState.verifying)
        assert self.value("never_ready", snapshot(phase=Phase.arriving), proving, 0) == (1, "the rollout is arriving")
        assert self.value("never_ready", snapshot(), proving, 99) == (0, "")


def test_other_measures_are_not_the_platforms_to_answer() -> None:
    with pytest.raises(TypeError, match="prometheus is not answered by a platform"):
        platform_answer(PrometheusMeasure(query="up"), snapshot(), SHOP, watch(), EPOCH)
