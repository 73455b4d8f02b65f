"""What crash and probe rules lend: restarts and failed probes as evidence."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.judge.compare.failures import FAILURES, probed, restarted


@pytest.mark.parametrize(("count", "e"), [(2, 1392.8), (3, 267737)])
def test_restarts_in_five_minutes(count: int, e: float) -> None:
    found = restarted("crash-loop", count, 300, weight=0.125)
    assert exp(found.ln_e) == pytest.approx(e, rel=1e-3)
    assert found.sentence.startswith(f"{count} restarts in 300 s; a change this large by chance: less than 1 in")
    assert found.group == FAILURES


def test_one_restart_is_said_as_one() -> None:
    assert restarted("crash-loop", 1, 140, weight=0.125).sentence.startswith("1 restart in 140 s")


def test_many_instances_may_restart_more_often() -> None:
    one, many = restarted("r", 2, 600, weight=1), restarted("r", 2, 600, weight=1, instances=50)
    assert many.ln_e < one.ln_e


def test_restarts_as_often_as_before_say_nothing() -> None:
    assert restarted("r", 2, 1800, weight=1, hour_before=4).ln_e < 0
    assert restarted("r", 2, 1800, weight=1).ln_e > 3


@pytest.mark.parametrize(("failed", "e"), [(1, 24.375), (2, 851.6), (3, 34418)])
def test_probes_that_fail_in_a_row(failed: int, e: float) -> None:
    assert exp(probed("up", failed, failed, weight=1, interval=15).ln_e) == pytest.approx(e, rel=1e-3)


def test_probes_close_together_say_the_same_thing() -> None:
    """Three in fifteen seconds are one trial: a blip is not a long row of failures."""
    often, seldom = probed("up", 6, 6, weight=1, interval=5), probed("up", 2, 2, weight=1, interval=15)
    assert often.ln_e == pytest.approx(seldom.ln_e)
    assert often.phi == 3


def test_a_probe_that_often_failed_before_says_less() -> None:
    steady, flaky = probed("up", 3, 20, weight=1, interval=15), probed("up", 3, 20, weight=1, interval=15, usual=0.15)
    assert flaky.ln_e <= 0 < steady.ln_e
    assert "3 of 20 probes failed" in steady.sentence


@given(st.integers(0, 10_000), st.floats(1, 60), st.floats(0, 1))
def test_probes_that_all_pass_are_no_evidence(made: int, interval: float, usual: float) -> None:
    assert probed("up", 0, made, weight=1, interval=interval, usual=usual).ln_e <= 1e-9


@given(st.floats(0, 1e6), st.integers(0, 1000))
def test_no_restarts_are_no_evidence(seconds: float, instances: int) -> None:
    assert restarted("r", 0, seconds, weight=1, instances=instances).ln_e <= 1e-9
