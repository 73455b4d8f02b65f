"""promtool's notation for series, as its documentation gives it, and what we add."""

from __future__ import annotations

import math

import pytest

from watchdog.errors import BadConfig
from watchdog.judge.notation import MOST, read_series


def answers(text: str) -> list[object]:
    """A number, a list of them, None for no data, "error"."""
    found: list[object] = []
    for each in read_series(text):
        values = [sample.value for sample in each.samples]
        found.append("error" if each.error else None if not values else values[0] if len(values) == 1 else values)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # from promtool's documentation
        ("-2+4x3", [-2, 2, 6, 10]),
        ("1-2x4", [1, -1, -3, -5, -7]),
        ("1x4", [1, 1, 1, 1, 1]),
        ("1 _x3 stale", [1, None, None, None, None]),
        # ours
        ("0.2x1 1.8x2", [0.2, 0.2, 1.8, 1.8, 1.8]),
        ("_", [None]),
        ("error", ["error"]),
        ("1 errorx2 1", [1, "error", "error", 1]),
        ("[1 2 3]", [[1, 2, 3]]),
        ("[1 2]x1 0", [[1, 2], [1, 2], 0]),
        ("[ 1  -2.5 ]", [[1, -2.5]]),
        ("[]", [None]),
        ("Inf -Inf", [math.inf, -math.inf]),
        ("1e3 .5 5. 1e-3+1x1", [1000, 0.5, 5, 0.001, 1.001]),
        ("  1\n  2 ", [1, 2]),
        ("1x0", [1]),
        ("1+Infx2", [1, math.inf, math.inf]),
    ],
)
def test_read_series(text: str, expected: list[object]):
    assert answers(text) == expected


def test_nan_is_a_sample_that_is_not_a_number():
    first, second = read_series("NaN [1 NaN]")
    assert math.isnan(first.samples[0].value)
    assert math.isnan(second.samples[1].value)


def test_several_series_are_labelled_with_their_places():
    (seen,) = read_series("[0.5 7]")
    assert [(sample.labels, sample.value) for sample in seen.samples] == [({"series": "1"}, 0.5), ({"series": "2"}, 7)]


def test_one_series_has_no_labels_and_no_query():
    (seen,) = read_series("0.5")
    assert (seen.query, [sample.labels for sample in seen.samples]) == ("", [{}])
    assert read_series("[0.5 7]")[0].query == ""


def test_so_many_and_no_more():
    assert len(read_series(f"_x{MOST}")) == MOST
    assert len(read_series(f"_x{MOST - 1} 1")) == MOST
    with pytest.raises(BadConfig, match=f"more than {MOST} measurements at '1'"):
        read_series(f"_x{MOST} 1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there are no values; write for example 0.2x4 1.8x8"),
        ("1..5", "'1..5' is not a value; expected a number, axN, a+bxN, _, _xN, NaN, error or [1 2 3]"),
    ],
)
def test_the_whole_sentence_with_what_may_be_written(text: str, says: str):
    with pytest.raises(BadConfig) as refused:
        read_series(text)
    assert str(refused.value) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no values"),
        ("_x0", "no values"),
        ("1 two 3", "'two' is not a value"),
        ("1..5", "'1..5' is not a value"),
        ("1+2", "'1+2' is not a value"),
        ("1_000", "is not a value"),
        ("[1 two]", "'two' in '[1 two]' is not a number"),
        ("[1, 2]", "'1,' in '[1, 2]' is not a number; write numbers with spaces"),
        ("[1 2", "is not a value"),
        ("1x0000999999", "'1x0000999999' is not a value"),
        ("1x999999999", "more than 100000 measurements"),
        ("1x99999999999999999999", "more than 100000 measurements"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, says: str):
    with pytest.raises(BadConfig) as refused:
        read_series(text)
    assert says in str(refused.value)
