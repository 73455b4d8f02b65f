"""Given this progress of these rules, at this time, this decision for this reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.judge.decide import deadline, decide, newly_tripped
from watchdog.model.comparison import GrowthCalibration
from watchdog.model.measurement import Verdict
from watchdog.model.rule import Action, Mode, PrometheusMeasure, Rule, Trigger
from watchdog.model.target import WatchPolicy
from watchdog.model.watch import DecisionKind, Progress, Watch, WatchState

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = WatchPolicy(bake_time=timedelta(minutes=10), max_extension=timedelta(hours=1))
END = T0 + POLICY.bake_time

PASSING = Progress(measured=9, last=Verdict.passed, last_at=END, last_reason="0.2")
NO_DATA = Progress(measured=9, last=Verdict.inconclusive, last_at=END, last_reason="no data")
ERROR = Progress(measured=9, last=Verdict.error, last_at=END, last_reason="down")
FAILING = Progress(
    measured=9, failures=1, consecutive_failures=1, failing_since=END, last=Verdict.failed, last_reason="1.8: value > 1"
)
TRIPPED = Progress(measured=9, failures=4, last=Verdict.failed, tripped=True, trip_reason="failed (3) > 2; 1.8")


def rule(name: str, **fields: Any) -> Rule:
    how = {} if {"failure_limit", "consecutive_failures"} & set(fields) else {"for_": timedelta(seconds=30)}
    return Rule(
        name=name,
        trigger=Trigger.performance,
        summary="",
        measure=PrometheusMeasure(query="q"),
        fail_when="value > 1",
        **how,
        **fields,
    )


def watch(state: WatchState = WatchState.watching, **fields: Any) -> Watch:
    return Watch(
        id="w1",
        target="shop",
        environment="production",
        platform="compose",
        revision="r2",
        fingerprint="f2",
        opened_at=T0,
        settled_at=None if state is WatchState.arriving else T0,
        seen_at=T0,
        changed_at=T0,
        state=state,
        **fields,
    )


def test_nothing_tripped_and_time_left():
    found = decide(watch(progress={"a": PASSING}), [rule("a")], POLICY, T0 + timedelta(minutes=4))
    assert found.kind is DecisionKind.proceed
    assert found.reason == "no rule has tripped; 6m of the bake time left"


def test_healthy_to_the_end():
    found = decide(watch(progress={"a": PASSING, "b": NO_DATA}), [rule("a"), rule("b")], POLICY, END)
    assert found.kind is DecisionKind.passed
    assert found.reason == "10m of bake time over; no rule tripped, 1 of 2 pass; not passing at the end: b"


def test_all_that_do_not_pass_at_the_end_are_named():
    silent = watch(progress={"a": PASSING, "b": NO_DATA, "c": ERROR})
    found = decide(silent, [rule("a"), rule("b"), rule("c")], POLICY, END)
    assert found.reason == "10m of bake time over; no rule tripped, 1 of 3 pass; not passing at the end: b, c"


def test_a_target_without_rules_passes_by_time():
    found = decide(watch(), [], POLICY, END)
    assert (found.kind, found.reason) == (DecisionKind.passed, "10m of bake time over; no rules")


def test_a_tripped_rule_rolls_back_and_all_of_them_are_named():
    rules = [rule("a"), rule("b"), rule("c", action=Action.hold)]
    found = decide(watch(progress={"a": TRIPPED, "b": TRIPPED, "c": TRIPPED}), rules, POLICY, T0)
    assert found.kind is DecisionKind.rollback
    assert found.reason == "a: failed (3) > 2; 1.8; b: failed (3) > 2; 1.8"
    assert found.rules == ("a", "b")


def test_a_crash_condemns_while_the_deploy_is_still_arriving():
    found = decide(watch(WatchState.arriving, progress={"a": TRIPPED}), [rule("a")], POLICY, T0)
    assert found.kind is DecisionKind.rollback


def test_arriving_never_passes_however_long_it_takes():
    late = END + timedelta(days=1)
    for arriving in (watch(WatchState.arriving), watch(WatchState.arriving).model_copy(update={"settled_at": T0})):
        found = decide(arriving.model_copy(update={"progress": {"a": PASSING}}), [rule("a")], POLICY, late)
        assert found.kind is DecisionKind.proceed
        assert found.reason == "the rollout is not finished; no rule has tripped"


def test_a_hold_rule_holds():
    found = decide(watch(progress={"a": TRIPPED}), [rule("a", action=Action.hold)], POLICY, T0)
    assert (found.kind, found.rules) == (DecisionKind.hold, ("a",))


@pytest.mark.parametrize("fields", [{"mode": Mode.dry_run}, {"action": Action.alert}])
def test_dry_run_and_alert_rules_decide_nothing(fields: dict[str, Any]):
    tripped = watch(progress={"a": TRIPPED})
    assert decide(tripped, [rule("a", **fields)], POLICY, T0).kind is DecisionKind.proceed
    assert decide(tripped, [rule("a", **fields)], POLICY, END).kind is DecisionKind.passed


def test_a_watch_in_dry_run_decides_as_any_other_and_the_guard_objects():
    found = decide(watch(mode=Mode.dry_run, progress={"a": TRIPPED}), [rule("a")], POLICY, T0)
    assert found.kind is DecisionKind.rollback


def test_a_rule_that_the_config_no_longer_has_decides_nothing():
    assert decide(watch(progress={"gone": TRIPPED}), [], POLICY, T0).kind is DecisionKind.proceed


def test_blind_time_makes_the_watch_longer_and_too_much_of_it_holds():
    blind = watch(progress={"a": PASSING}, blind=timedelta(minutes=5))
    assert deadline(blind, POLICY) == END + timedelta(minutes=5)
    assert decide(blind, [rule("a")], POLICY, END).kind is DecisionKind.proceed
    passed = decide(blind, [rule("a")], POLICY, END + timedelta(minutes=5))
    assert passed.kind is DecisionKind.passed
    assert passed.reason == ("10m of bake time over, longer by 5m of blindness; no rule tripped, 1 of 1 pass")
    as_long_as_it_may = watch(progress={"a": PASSING}, blind=timedelta(minutes=60))
    assert decide(as_long_as_it_may, [rule("a")], POLICY, END).kind is DecisionKind.proceed
    held = decide(watch(progress={"a": PASSING}, blind=timedelta(minutes=61)), [rule("a")], POLICY, END)
    assert held.kind is DecisionKind.hold
    assert held.reason == ("blind for 1h1m > max_extension (1h): too little was seen to call the deploy good or bad")


def test_a_run_of_failures_that_began_just_before_the_end_may_end():
    open_ = watch(progress={"a": FAILING, "b": PASSING})
    rules = [rule("a"), rule("b")]
    found = decide(open_, rules, POLICY, END)
    assert found.kind is DecisionKind.proceed
    assert found.reason == "the bake time is over, but a run of failures is still open: a (1.8: value > 1)"
    assert found.rules == ("a",)
    assert decide(open_, rules, POLICY, END + timedelta(minutes=59)).kind is DecisionKind.proceed
    held = decide(open_, rules, POLICY, END + timedelta(hours=1))
    assert (held.kind, held.rules) == (DecisionKind.hold, ("a",))
    assert held.reason == (
        "the bake time and max_extension (1h) are over, and a run of failures is still open: a (1.8: value > 1)"
    )


def test_all_runs_that_are_still_open_are_named():
    found = decide(watch(progress={"a": FAILING, "b": FAILING}), [rule("a"), rule("b")], POLICY, END)
    assert found.reason.endswith("still open: a (1.8: value > 1); b (1.8: value > 1)")


@pytest.mark.parametrize("fields", [{"failure_limit": 3}, {"mode": Mode.dry_run}, {"action": Action.alert}])
def test_failures_that_can_decide_nothing_more_do_not_keep_it_open(fields: dict[str, Any]):
    assert decide(watch(progress={"a": FAILING}), [rule("a", **fields)], POLICY, END).kind is DecisionKind.passed


@pytest.mark.parametrize("progress", [{}, {"a": ERROR}, {"a": ERROR, "b": ERROR}])
def test_nothing_judged_is_no_pass(progress: dict[str, Progress]):
    rules = [rule("a"), rule("b")]
    found = decide(watch(progress=progress), rules, POLICY, END)
    assert found.kind is DecisionKind.proceed
    assert found.reason == "the bake time is over, but none of the 2 rules could be judged"
    assert decide(watch(progress=progress), rules, POLICY, END + timedelta(hours=1)).kind is DecisionKind.hold


class TestTooLittleSeen:
    """Compare rules that could have judged (they are calibrated), and whose last verdict is inconclusive."""

    RULES = (rule("a"), rule("b"))
    TWICE = T0 + 2 * POLICY.bake_time
    SECOND = timedelta(seconds=1)

    def seen(self, *, progress: dict[str, Progress] | None = None, judging: str = "b", **fields: Any) -> Watch:
        known = GrowthCalibration(slope_before=None, limit=None, horizon_seconds=60)
        progress = {"a": PASSING, "b": NO_DATA} if progress is None else progress
        return watch(progress=progress, calibrations=dict.fromkeys(judging, known), **fields)

    def test_the_watch_is_as_long_again_and_then_held(self):
        for now in (END, self.TWICE - self.SECOND):
            found = decide(self.seen(), self.RULES, POLICY, now)
            assert (found.kind, found.rules) == (DecisionKind.proceed, ("b",))
            assert found.reason == "the bake time is over, but too little was seen: b (no data)"
        found = decide(self.seen(), self.RULES, POLICY, self.TWICE)
        assert (found.kind, found.rules) == (DecisionKind.hold, ("b",))
        assert found.reason == ("twice the bake time is over, and too little was seen to call it good: b (no data)")

    def test_or_it_passes_where_the_policy_says_so(self):
        lenient = POLICY.model_copy(update={"unsure": "pass"})
        assert decide(self.seen(), self.RULES, lenient, self.TWICE - self.SECOND).kind is DecisionKind.proceed
        assert decide(self.seen(), self.RULES, lenient, self.TWICE).kind is DecisionKind.passed

    def test_all_of_them_are_named(self):
        silent = self.seen(progress={"a": NO_DATA, "b": NO_DATA}, judging="ab")
        found = decide(silent, self.RULES, POLICY, END)
        assert found.reason.endswith("too little was seen: a (no data); b (no data)")
        assert found.rules == ("a", "b")

    def test_blind_time_makes_this_longer_too(self):
        blind = self.seen(blind=timedelta(minutes=5))
        end = self.TWICE + timedelta(minutes=5)
        assert decide(blind, self.RULES, POLICY, end - self.SECOND).kind is DecisionKind.proceed
        assert decide(blind, self.RULES, POLICY, end).kind is DecisionKind.hold

    def test_max_extension_ends_it_before(self):
        short = POLICY.model_copy(update={"max_extension": timedelta(minutes=4)})
        end = END + timedelta(minutes=4)
        assert decide(self.seen(), self.RULES, short, end - self.SECOND).kind is DecisionKind.proceed
        assert decide(self.seen(), self.RULES, short, end).kind is DecisionKind.hold

    @pytest.mark.parametrize(
        ("progress", "judging"),
        [
            ({"a": PASSING, "b": PASSING}, "b"),
            ({"a": PASSING}, "b"),
            ({"a": PASSING, "b": NO_DATA}, "a"),
            ({"a": PASSING, "b": NO_DATA}, ""),
        ],
        ids=["it passed", "it was not asked yet", "another could judge", "nothing to compare with"],
    )
    def test_nothing_of_this_where(self, progress: dict[str, Progress], judging: str):
        found = decide(self.seen(progress=progress, judging=judging), self.RULES, POLICY, END)
        assert found.kind is DecisionKind.passed

    def test_a_rule_in_dry_run_makes_nothing_longer(self):
        rules = [rule("a"), rule("b", mode=Mode.dry_run)]
        assert decide(self.seen(), rules, POLICY, END).kind is DecisionKind.passed


def test_newly_tripped_names_each_rule_once():
    assert newly_tripped({}, {"a": TRIPPED, "b": PASSING}) == ("a",)
    assert newly_tripped({"a": TRIPPED}, {"a": TRIPPED, "b": TRIPPED}) == ("b",)


PROGRESS = st.sampled_from([PASSING, NO_DATA, ERROR, FAILING, Progress()])
RULES = st.builds(
    rule,
    st.sampled_from("abcd"),
    action=st.sampled_from(list(Action)),
    mode=st.sampled_from(list(Mode)),
)


@given(st.dictionaries(st.sampled_from("abcd"), PROGRESS), st.lists(RULES), st.integers(0, 200), st.integers(0, 120))
def test_law_without_a_tripped_rule_nothing_is_rolled_back(
    progress: dict[str, Progress], rules: list[Rule], minutes: int, blind: int
):
    now = T0 + timedelta(minutes=minutes)
    found = decide(watch(progress=progress, blind=timedelta(minutes=blind)), rules, POLICY, now)
    assert found.kind is not DecisionKind.rollback
    assert found.reason


@given(st.dictionaries(st.sampled_from("abcd"), PROGRESS), st.lists(RULES), st.integers(0, 120))
def test_law_every_watch_comes_to_a_decision(progress: dict[str, Progress], rules: list[Rule], blind: int):
    now = T0 + POLICY.bake_time + POLICY.max_extension + timedelta(minutes=blind)
    found = decide(watch(progress=progress, blind=timedelta(minutes=blind)), rules, POLICY, now)
    assert found.kind in (DecisionKind.passed, DecisionKind.hold)
