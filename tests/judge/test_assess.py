"""Given these samples, this verdict, for this reason."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.judge.assess import assess, number
from watchdog.model.comparison import Finding
from watchdog.model.measurement import KEPT_SAMPLES, Observation, Sample, Verdict
from watchdog.model.rule import CompareMeasure, PrometheusMeasure, Rule, Trigger

NAN, INF = math.nan, math.inf


def rule(fail_when: str | None = None, pass_when: str | None = None) -> Rule:
    return Rule(
        name="latency-p99",
        trigger=Trigger.performance,
        summary="slow",
        measure=PrometheusMeasure(query="q"),
        fail_when=fail_when,
        pass_when=pass_when,
        failure_limit=0,
    )


def saw(*values: float, error: str | None = None) -> Observation:
    """One series has no labels; of several, each has its number."""
    labels = [{"pod": str(n)} if len(values) > 1 else {} for n in range(len(values))]
    samples = tuple(Sample(value=v, labels=ls) for v, ls in zip(values, labels, strict=True))
    return Observation(query="q", samples=samples, error=error)


BOTH = {"fail_when": "value > 1", "pass_when": "value < 0.5"}
OVERLAP = {"fail_when": "value > 1", "pass_when": "value < 2"}


@pytest.mark.parametrize(
    ("conditions", "values", "verdict", "reason"),
    [
        # one condition: the other is its opposite
        ({"fail_when": "value > 1"}, [1.84], "fail", "1.84: value > 1"),
        ({"fail_when": "value > 1"}, [0.2], "pass", "0.2: not (value > 1)"),
        ({"pass_when": "value < 1"}, [1.84], "fail", "1.84: not (value < 1)"),
        ({"pass_when": "value < 1"}, [0.2], "pass", "0.2: value < 1"),
        # both conditions
        (BOTH, [2], "fail", "2: value > 1"),
        (BOTH, [0.2], "pass", "0.2: value < 0.5"),
        (BOTH, [0.7], "inconclusive", "0.7: neither value > 1 nor value < 0.5"),
        (OVERLAP, [1.5], "fail", "1.5: value > 1"),
        # each series is asked
        ({"fail_when": "value > 1"}, [0.2, 1.84, 3], "fail", '1.84 for {pod="1"}: value > 1; 2 of 3 series'),
        ({"fail_when": "value > 1"}, [0.2, 0.4, 0.3], "pass", "0.2 to 0.4 in 3 series: not (value > 1)"),
        ({"fail_when": "value > 1"}, [0.2, 0.2], "pass", "0.2 in all 2 series: not (value > 1)"),
        (BOTH, [0.2, 0.7], "inconclusive", '0.7 for {pod="1"}, 1 of 2 series: neither value > 1 nor value < 0.5'),
        (BOTH, [0.2, 0.7, 9], "fail", '9 for {pod="2"}: value > 1; 1 of 3 series'),
        # the list is asked
        ({"fail_when": "values.all(x, x > 1)"}, [0.2, 3], "pass", "[0.2, 3]: not (values.all(x, x > 1))"),
        ({"fail_when": "values.all(x, x > 1)"}, [2, 3], "fail", "[2, 3]: values.all(x, x > 1)"),
        ({"fail_when": "values.size() > 5"}, [1, 2, 3, 4, 5, 6], "fail", None),
        (
            {"fail_when": "values.size() > 2", "pass_when": "values.size() < 2"},
            [1, 2],
            "inconclusive",
            "[1, 2]: neither values.size() > 2 nor values.size() < 2",
        ),
        # one of each
        ({"fail_when": "value > 1", "pass_when": "values.size() > 1"}, [0.2], "inconclusive", None),
        ({"fail_when": "value > 1", "pass_when": "values.size() > 1"}, [0.2, 0.3], "pass", None),
        ({"fail_when": "value > 1", "pass_when": "values.size() > 1"}, [0.2, 3], "fail", None),
        # no data
        ({"fail_when": "value > 1"}, [], "inconclusive", "no data: the query returned no series"),
        ({"pass_when": "value > 1"}, [], "inconclusive", "no data: the query returned no series"),
        ({"fail_when": "values.size() == 0"}, [], "inconclusive", "no data: the query returned no series"),
        ({"fail_when": "value > 1"}, [NAN], "inconclusive", "no data: only NaN"),
        ({"pass_when": "value < 1"}, [NAN, NAN], "inconclusive", "no data: only NaN, in all 2 series"),
        ({"pass_when": "value < 1"}, [NAN, 0.5], "pass", '0.5 for {pod="1"}: value < 1'),
        ({"fail_when": "values.size() > 1"}, [NAN, 0.5], "pass", "[0.5]: not (values.size() > 1)"),
        # infinities are numbers
        ({"fail_when": "value > 1"}, [INF], "fail", "+Inf: value > 1"),
        ({"fail_when": "value > 1"}, [-INF], "pass", "-Inf: not (value > 1)"),
        # a condition without an answer is our error, never a failure
        ({"fail_when": "values[3] > 1"}, [0.5], "error", "'values[3] > 1' has no answer: Index error: index=3 size=1"),
        ({"fail_when": "values.size() > 1"}, [1] * 10_000, "error", None),
        # found by mutation tests
        ({"pass_when": "values.size() > 2"}, [1, 2], "fail", "[1, 2]: not (values.size() > 2)"),
        ({"fail_when": "values.size() > 4"}, [1, 2, 3, 4, 5], "fail", "[1, 2, 3, 4, 5]: values.size() > 4"),
        (
            {"fail_when": "values.size() > 5"},
            [1, 2, 3, 4, 5, 6],
            "fail",
            "[1, 2, 3, 4, 5, …] (6 series): values.size() > 5",
        ),
    ],
)
def test_assess(conditions: dict[str, str], values: list[float], verdict: str, reason: str | None):
    found = assess(rule(**conditions), saw(*values))
    assert found.outcome.verdict == verdict, found.outcome.reason
    if reason is not None:
        assert found.outcome.reason == reason
    assert found.series == len(values)


def test_a_source_that_failed_is_an_error_in_its_own_words():
    found = assess(rule("value > 1"), saw(error="Prometheus answered 503: service unavailable"))
    assert found.outcome.verdict is Verdict.error
    assert found.outcome.reason == "Prometheus answered 503: service unavailable"


def test_what_a_source_answered_beside_its_error_is_kept():
    found = assess(rule("value > 1"), saw(0.5, 2, error="the answer was cut off"))
    assert [s.value for s in found.samples] == [0.5, 2]
    assert found.series == 2


@pytest.mark.parametrize(
    ("condition", "values", "verdict"), [("value > 1", [NAN], "inconclusive"), ("values[3] > 1", [0.5], "error")]
)
def test_what_could_not_be_judged_is_kept_too(condition: str, values: list[float], verdict: str):
    seen = saw(*values)
    found = assess(rule(condition), seen)
    assert (found.outcome.verdict, found.samples) == (verdict, seen.samples)


FINDING = Finding(
    rule="errors",
    group="errors",
    verdict=Verdict.failed,
    ln_e=9,
    course=(9,),
    weight=1,
    sentence="8 % of requests failed, 1 % before",
)


def test_a_compare_rules_finding_is_its_verdict_and_any_other_rules_is_only_lent():
    seen = saw(0.5).model_copy(update={"finding": FINDING})
    compare = rule("value > 1").model_copy(update={"measure": CompareMeasure(signal="ratio", events="e", total="t")})
    found = assess(compare, seen)
    assert (found.outcome.verdict, found.outcome.reason) == (Verdict.failed, "8 % of requests failed, 1 % before")
    assert (found.samples, found.series) == (seen.samples, 1)
    found = assess(rule("value > 1"), seen)
    assert (found.outcome.verdict, found.outcome.reason) == (Verdict.passed, "0.5: not (value > 1)")


@pytest.mark.parametrize(
    ("conditions", "values", "kept"),
    [
        (BOTH, [0.2, 0.7], [0.7, 0.2]),
        (BOTH, [0.2, 2], [2, 0.2]),
        (BOTH, [0.2, 0.4], [0.2, 0.4]),
    ],
)
def test_the_samples_that_the_reason_is_about_are_kept_first(
    conditions: dict[str, str], values: list[float], kept: list[float]
):
    assert [s.value for s in assess(rule(**conditions), saw(*values)).samples] == kept


def test_failing_samples_are_kept_first_and_only_so_many():
    found = assess(rule("value > 1"), saw(*[0.5] * 50, 2, 3))
    assert [s.value for s in found.samples] == [2, 3] + [0.5] * (KEPT_SAMPLES - 2)
    assert found.series == 52


def test_the_reason_names_the_labels_in_order_and_not_without_end():
    long = Sample(value=2, labels={"path": "/x" * 500, "code": "500"})
    reason = assess(rule("value > 1"), Observation(query="q", samples=(long,))).outcome.reason
    assert reason.startswith('2 for {code="500", path="/x/x')
    assert len(reason) < 300


def test_labels_of_two_hundred_characters_are_named_and_of_more_are_cut():
    def said(path: str) -> str:
        seen = Observation(query="q", samples=(Sample(value=2, labels={"path": path}),))
        return assess(rule("value > 1"), seen).outcome.reason

    assert said("x" * 193) == f'2 for {{path="{"x" * 193}"}}: value > 1'
    assert said("x" * 194) == f'2 for {{path="{"x" * 194}…}}: value > 1'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.0, "2"),
        (-3.0, "-3"),
        (1 / 3, "0.333333"),
        (999_999_999_999_999.0, "999999999999999"),
        (1e15, "1e+15"),
        (-1e15, "-1e+15"),
    ],
)
def test_a_number_as_people_read_it(value: float, text: str):
    assert number(value) == text


def test_ten_thousand_series_are_judged_soon_enough():
    series = saw(*[0.5] * 9_999, 2)
    began = time.process_time()
    found = assess(rule("value > 1", "value < 1"), series)
    assert time.process_time() - began < 2, "0.15 s on the machine this was written on"
    assert found.outcome.verdict is Verdict.failed
    assert found.outcome.reason.endswith("1 of 10000 series")


CONDITIONS = st.sampled_from(
    [
        {"fail_when": "value > 1"},
        {"pass_when": "value < 1"},
        BOTH,
        OVERLAP,
        {"fail_when": "values.all(x, x > 1)"},
        {"pass_when": "values.size() > 2"},
        {"fail_when": "values[1] > 1"},
    ]
)


@given(CONDITIONS, st.lists(st.floats(), max_size=8))
def test_law_there_is_always_one_verdict_with_a_reason(conditions: dict[str, str], values: list[float]):
    found = assess(rule(**conditions), saw(*values))
    assert found.outcome.reason
    if all(map(math.isnan, values)):
        assert found.outcome.verdict is Verdict.inconclusive


@given(CONDITIONS, st.lists(st.floats(), max_size=8))
def test_law_an_error_never_fails_or_passes(conditions: dict[str, str], values: list[float]):
    assert assess(rule(**conditions), saw(*values, error="down")).outcome.verdict is Verdict.error


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=8), st.integers(0, 8))
def test_law_nan_changes_nothing_among_numbers(values: list[float], where: int):
    with_nan = [*values[:where], NAN, *values[where:]]
    assert (
        assess(rule("value > 1"), saw(*values)).outcome.verdict
        is assess(rule("value > 1"), saw(*with_nan)).outcome.verdict
    )
