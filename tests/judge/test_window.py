"""Given these verdicts, so far along, for this reason. One letter is one measurement, 15 s apart:
p pass, f fail, i inconclusive, e error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.judge.window import advance, after_gap
from watchdog.model.measurement import Outcome, Verdict
from watchdog.model.rule import PrometheusMeasure, Rule, Trigger
from watchdog.model.watch import Progress

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEP = timedelta(seconds=15)
VERDICTS = {"p": Verdict.passed, "f": Verdict.failed, "i": Verdict.inconclusive, "e": Verdict.error}

FOR_45S: dict[str, Any] = {"for_": timedelta(seconds=45)}
LIMIT_2: dict[str, Any] = {"failure_limit": 2}
IN_A_ROW_2: dict[str, Any] = {"consecutive_failures": 2}


def rule(**how: Any) -> Rule:
    return Rule(
        name="latency-p99",
        trigger=Trigger.performance,
        summary="slow",
        measure=PrometheusMeasure(query="q"),
        fail_when="value > 1",
        **how,
    )


def fold(
    how: dict[str, Any], verdicts: str, step: timedelta = STEP, progress: Progress | None = None, start: datetime = T0
) -> Progress:
    progress = progress or Progress()
    for n, letter in enumerate(verdicts):
        outcome = Outcome(verdict=VERDICTS[letter], reason=f"reason {n}")
        progress = advance(progress, rule(**how), outcome, start + n * step)
    return progress


@pytest.mark.parametrize(
    ("how", "verdicts", "trips"),
    [
        # for: at every measurement, for this long
        (FOR_45S, "fff", False),
        (FOR_45S, "ffff", True),
        (FOR_45S, "fffpfff", False),
        (FOR_45S, "pppffff", True),
        (FOR_45S, "fffifff", False),  # no data is not a failure: the run ends
        (FOR_45S, "ffeff", False),  # the time around an error does not count
        (FOR_45S, "fffef", False),
        (FOR_45S, "ffefff", True),  # what was seen before it does: 15 s, and 30 s after
        (FOR_45S, "fefefefefefe", False),  # no two neighbours failed
        (FOR_45S, "fffe", False),  # an error never completes it
        (FOR_45S, "fffeeeef", False),  # blind: nobody knows any more that it was unbroken
        ({"for_": timedelta(0)}, "pf", True),
        # failure_limit: more than this many in all
        (LIMIT_2, "ff", False),
        (LIMIT_2, "fff", True),
        (LIMIT_2, "fpifpepeeeeef", True),
        ({"failure_limit": 0}, "pppf", True),
        # consecutive_failures: this many in a row
        (IN_A_ROW_2, "fpfpf", False),
        (IN_A_ROW_2, "fif", False),
        (IN_A_ROW_2, "fef", True),  # an error neither counts nor breaks
        (IN_A_ROW_2, "feeeef", False),  # blind
        (IN_A_ROW_2, "pff", True),
        ({"consecutive_failures": 1}, "f", True),
    ],
)
def test_when_a_rule_trips(how: dict[str, Any], verdicts: str, trips: bool):
    assert fold(how, verdicts).tripped is trips


@pytest.mark.parametrize(
    ("how", "verdicts", "reason"),
    [
        (FOR_45S, "ffff", "reason 3; failing for 45s >= for (45s)"),
        (LIMIT_2, "fpff", "reason 3; failed (3) > failure_limit (2)"),
        (IN_A_ROW_2, "pff", "reason 2; failed in a row (2) >= consecutive_failures (2)"),
        ({"consecutive_failures": 1}, "f", "reason 0"),
    ],
)
def test_a_trip_carries_its_arithmetic(how: dict[str, Any], verdicts: str, reason: str):
    assert fold(how, verdicts).trip_reason == reason


def test_a_tripped_rule_stays_tripped_with_its_first_reason():
    after = fold(IN_A_ROW_2, "ffffpppp")
    assert after.tripped
    assert after.trip_reason.startswith("reason 1")
    assert after.last is Verdict.passed


def test_blind_from_the_nth_error_in_a_row_to_the_next_answer():
    assert not fold(FOR_45S, "eee").blind
    assert fold(FOR_45S, "eeee").blind
    assert fold(FOR_45S, "eeeeeee").consecutive_errors == 7
    for answer in "pfi":
        after = fold(FOR_45S, "eeee" + answer)
        assert not after.blind
        assert after.consecutive_errors == 0


def test_after_a_gap_counts_stay_and_runs_begin_again():
    before = fold(LIMIT_2, "ff")
    after = after_gap(before)
    assert (after.failures, after.measured) == (2, 2)
    assert (after.consecutive_failures, after.failing_since) == (0, None)
    assert (fold(FOR_45S, "ee").consecutive_errors, after_gap(fold(FOR_45S, "ee")).consecutive_errors) == (2, 0)
    assert fold(LIMIT_2, "f", progress=after, start=T0 + timedelta(hours=1)).tripped
    assert not fold(IN_A_ROW_2, "f", progress=after_gap(fold(IN_A_ROW_2, "f"))).tripped


def test_a_clock_that_goes_back_begins_the_run_again():
    late = fold(FOR_45S, "ff", start=T0 + timedelta(hours=1))
    back = fold(FOR_45S, "f", progress=late)
    assert back.failing_since == T0
    assert not back.tripped
    assert fold(FOR_45S, "ffff", progress=back, start=T0 + STEP).tripped


def test_two_measurements_at_the_same_time_are_a_run():
    assert fold(IN_A_ROW_2, "ff", step=timedelta(0)).tripped


def test_what_was_measured_last_is_kept_in_words():
    after = fold(FOR_45S, "pf")
    assert (after.measured, after.failures, after.last, after.last_at, after.last_reason) == (
        2,
        1,
        Verdict.failed,
        T0 + STEP,
        "reason 1",
    )


# Laws

HOW = st.sampled_from(
    [FOR_45S, LIMIT_2, IN_A_ROW_2, {"for_": timedelta(0)}, {"failure_limit": 0}, {"consecutive_failures": 1}]
)
ANY = st.text(alphabet="pfie", max_size=60)


@given(HOW, st.text(alphabet="pie", max_size=60))
def test_law_without_a_failure_nothing_trips(how: dict[str, Any], verdicts: str):
    after = fold(how, verdicts)
    assert not after.tripped
    assert after.failures == 0


@given(HOW, ANY, st.text(alphabet="ie", min_size=1, max_size=10))
def test_law_no_data_and_errors_never_trip_what_had_not_tripped(how: dict[str, Any], verdicts: str, silence: str):
    assert fold(how, verdicts + silence).tripped is fold(how, verdicts).tripped


@given(HOW, ANY, ANY)
def test_law_nothing_untrips(how: dict[str, Any], verdicts: str, more: str):
    before = fold(how, verdicts)
    after = fold(how, more, progress=before, start=T0 + len(verdicts) * STEP)
    if before.tripped:
        assert after.tripped
        assert after.trip_reason == before.trip_reason


@given(HOW, ANY, st.integers(0, 60))
def test_law_one_more_failure_never_untrips(how: dict[str, Any], verdicts: str, where: int):
    where = min(where, len(verdicts))
    if fold(how, verdicts).tripped:
        worse = verdicts[:where] + "f" + verdicts[where + 1 :]
        assert fold(how, worse).tripped


@given(HOW, st.lists(st.tuples(st.sampled_from("pfie"), st.integers(-3600, 3600)), max_size=40))
def test_law_time_may_jump_as_it_likes_and_counts_stay_true(how: dict[str, Any], steps: list[tuple[str, int]]):
    progress, at = Progress(), T0
    for letter, jump in steps:
        before, at = progress, at + timedelta(seconds=jump)
        progress = advance(progress, rule(**how), Outcome(verdict=VERDICTS[letter], reason="r"), at)
        assert progress.measured == before.measured + 1
        assert progress.failures == before.failures + (letter == "f")
        assert progress.failures >= progress.consecutive_failures
        assert (progress.failing_since is not None) == (progress.consecutive_failures > 0)
        if progress.failing_since is not None:
            assert progress.failing_since <= at
        if jump < 0 and "for_" in how and how["for_"]:
            assert progress.tripped is before.tripped, "a step back in time never trips by itself"
        if progress.tripped and not before.tripped:
            assert letter == "f"
            assert progress.trip_reason


@given(ANY)
def test_law_a_for_counts_no_second_beside_an_error(verdicts: str):
    """Against the plain definition: the time between neighbouring failures of the run that is open."""
    run, blind = timedelta(0), 0
    tripped, before = False, ""
    for letter in verdicts:
        blind = blind + 1 if letter == "e" else 0
        if letter in "pi" or blind >= 4:
            run = timedelta(0)
        elif letter == "f" and before == "f":
            run += STEP
        tripped = tripped or (letter == "f" and run >= timedelta(seconds=45))
        before = letter
    assert fold(FOR_45S, verdicts).tripped is tripped
