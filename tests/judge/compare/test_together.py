"""All evidence of a watch together: the pool, its reason, and its laws."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.judge.compare.failures import probed, restarted
from watchdog.judge.compare.pooling import group_weights, needed, signal_weights
from watchdog.judge.compare.rule import Setting, calibrate_rule, judge_rule
from watchdog.judge.compare.together import OWN, together
from watchdog.model.comparison import Finding
from watchdog.model.measurement import Verdict
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series

ERRORS = CompareMeasure.model_validate({"signal": "ratio", "events": "errors", "total": "requests"})
WEIGHTS = signal_weights({"errors": "errors", "crash-loop": "failures", "up": "failures"})
SETTING = Setting(interval=15.0, watch_seconds=600.0, weight=WEIGHTS["errors"], what="errors")
SCRAPES = 40


def finding(name: str, ln_e: float, weight: float) -> Finding:
    return Finding(
        rule=name, group="errors", verdict=Verdict.passed, ln_e=ln_e, course=(), weight=weight, sentence=f"{name} rose"
    )


def lent(restarts: int, failed: int, made: int, seconds: float = 300.0) -> list[Finding]:
    return [
        restarted("crash-loop", restarts, seconds, weight=WEIGHTS["crash-loop"]),
        probed("up", failed, made, weight=WEIGHTS["up"], interval=5),
    ]


def test_several_weak_signals_fail_together() -> None:
    judged = together([finding("errors", 4.7, 0.5), finding("slow", 4.65, 0.5)])
    assert judged.fails
    assert [each.verdict for each in judged.findings] == [Verdict.failed, Verdict.passed]
    assert judged.sentence == "errors rose; together with slow"


def test_a_restart_tips_the_balance_and_is_named() -> None:
    errors = finding("errors", 4.87, WEIGHTS["errors"])
    assert not together([errors]).fails
    judged = together([errors], lent=lent(1, 0, 0, seconds=140))
    assert judged.fails
    assert judged.sentence == "errors rose; together with 1 restart in 140 s"
    assert judged.weights == WEIGHTS


def test_what_fails_alone_needs_no_company() -> None:
    alone = finding("errors", 9, 0.75).model_copy(update={"verdict": Verdict.failed})
    assert together([alone], lent=lent(3, 0, 0)).sentence == "errors rose"


def test_failures_alone_trip_no_compare_rule() -> None:
    """However many there are: their own rules judge them, and nothing else got worse."""
    judged = together([finding("errors", 0.0, 0.75)], lent=lent(50, 100, 100))
    assert judged.ln_e > judged.needed_ln_e
    assert not judged.fails


def test_failures_have_a_quarter_at_most() -> None:
    assert group_weights(["errors", "failures"]) == {"errors": 0.75, "failures": 0.25}
    assert set(group_weights(["errors", "latency", "failures", "gauges"]).values()) == {0.25}


def test_one_restart_in_the_smallest_pool_fills_no_budget() -> None:
    share = signal_weights({"errors": "errors", "crash-loop": "failures"})["crash-loop"]
    assert log(share) + restarted("crash-loop", 1, 0, weight=share).ln_e < needed()


def test_nothing_compared_fails_nothing() -> None:
    assert not together([], lent=lent(50, 100, 100)).fails


# Laws


def scraped(name: str, increments: np.ndarray, start: float) -> Series:
    at = start + 15.0 * np.arange(len(increments) + 1)
    return Series.of({"instance": "a"}, zip(at, np.concatenate(([0.0], np.cumsum(increments))), strict=True))


def service(errors: np.ndarray, requests: np.ndarray, start: float) -> dict[str, list[Series]]:
    return {"events": [scraped("errors", errors, start)], "total": [scraped("requests", requests, start)]}


_rng = np.random.default_rng(3)
_before = service(_rng.binomial(150, 0.02, 480).astype(float), np.full(480, 150.0), -7200.0)
KNOWN = calibrate_rule(ERRORS, _before, 0.0, SETTING, seconds=7200.0)
assert KNOWN is not None

failures = st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200)).map(
    lambda t: (t[0], min(t[1:]), max(t[1:]))
)


def judged(errors: np.ndarray, requests: np.ndarray) -> Finding:
    assert KNOWN is not None
    after = service(errors, requests, 0.0) if len(errors) else {}
    return judge_rule("errors", ERRORS, KNOWN, after, 0.0, 15.0 * max(len(errors), 1), SETTING)


@given(st.integers(0, SCRAPES), failures)
def test_no_data_never_trips(silent: int, failed: tuple[int, int, int]) -> None:
    """Neither with no samples nor with no requests, whatever crashed."""
    nothing = judged(np.zeros(silent), np.zeros(silent))
    assert not together([nothing], lent=lent(*failed)).fails


@given(st.lists(st.integers(0, 400), min_size=1, max_size=SCRAPES), failures, st.data())
def test_an_improvement_never_trips(total: list[int], failed: tuple[int, int, int], data: st.DataObject) -> None:
    """At most as many errors as before: crashes are another rule's affair."""
    errors = [data.draw(st.integers(0, int(0.015 * n))) for n in total]
    better = judged(np.array(errors, float), np.array(total, float))
    assert not together([better], lent=lent(*failed)).fails


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0.01, 1)), min_size=1, max_size=5), failures)
def test_the_pool_is_between_its_parts(found: list[tuple[float, float]], failed: tuple[int, int, int]) -> None:
    """At most the strongest (or 1, what unused shares hold), and so at most that over its weight; at least its share
    of the strongest."""
    share = sum(weight for _, weight in found) / WEIGHTS["errors"]
    compared = [finding(f"r{n}", ln_e, weight / share) for n, (ln_e, weight) in enumerate(found)]
    beside = lent(*failed)
    pool = together(compared, lent=beside)
    assert pool.ln_e <= max(0.0, *(each.ln_e for each in [*compared, *beside])) + 1e-9
    assert all(pool.ln_e >= log(each.weight) + each.ln_e - 1e-9 for each in [*compared, *beside])


@given(st.floats(0.01, 50), failures, st.integers(0, 50), st.integers(0, 50))
def test_more_failures_never_untrip(ln_e: float, failed: tuple[int, int, int], more: int, worse: int) -> None:
    restarts, bad, made = failed
    compared = [finding("errors", ln_e, WEIGHTS["errors"])]
    if together(compared, lent=lent(restarts, bad, made)).fails:
        assert together(compared, lent=lent(restarts + more, bad + worse, made + worse)).fails


@given(st.floats(-50, 50), failures)
def test_only_a_rule_with_evidence_of_its_own_is_the_reason(ln_e: float, failed: tuple[int, int, int]) -> None:
    assert not together([finding("errors", ln_e, WEIGHTS["errors"])], lent=lent(*failed)).fails or ln_e >= OWN


def test_the_rule_with_the_most_evidence_is_the_reason() -> None:
    found = together([finding("errors", 1.0, 0.3), finding("slow", 3.0, 0.3)], lent=lent(3, 0, 0))
    assert [each.verdict for each in found.findings] == [Verdict.passed, Verdict.failed]
    assert found.sentence == "slow rose; together with 3 restarts in 300 s and errors"


def test_the_pool_needs_all_of_its_budget() -> None:
    almost = finding("errors", needed() - log(0.75) - 0.2, 0.75)
    assert together([almost]).ln_e == pytest.approx(needed() - 0.2, abs=0.01)
    assert not together([almost]).fails
