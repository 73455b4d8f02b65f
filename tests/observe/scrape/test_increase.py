"""Counters over a window: what grew, by how much, and when nobody can say."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.observe.scrape.increase import Increases, histogram_quantile

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(seconds=60)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def grown(*scrapes: tuple[float, dict[str, float]], window: timedelta = MINUTE, family: bool = True):
    """Growth at the last scrape, of scrapes given as (second, series → value)."""
    increases = Increases()
    growth = None
    for seconds, values in scrapes:
        increases.advance(at(seconds), {("", name): value for name, value in values.items()}, family=family)
        growth = increases.over(at(seconds), window)
    return growth


def test_one_scrape_says_nothing():
    assert grown((0, {"a": 5})) is None


def test_two_scrapes_say_how_much_it_grew():
    growth = grown((0, {"a": 5, "b": 1}), (10, {"a": 8, "b": 1}))
    assert (growth.total, growth.seconds) == (3, 10)


def test_a_reset_counts_from_zero():
    assert grown((0, {"a": 100}), (10, {"a": 110}), (20, {"a": 4})).total == 14


def test_a_label_value_seen_for_the_first_time_counts_from_zero():
    assert grown((0, {"200": 50}), (10, {"200": 60, "500": 7})).total == 17


def test_a_metric_that_was_not_there_at_all_only_sets_the_mark():
    increases = Increases()
    increases.advance(at(0), {}, family=False)
    increases.advance(at(10), {("", "a"): 1_000_000}, family=True)
    assert increases.over(at(10), MINUTE).total == 0


def test_a_series_that_was_away_for_a_scrape_did_not_grow_from_zero():
    assert grown((0, {"a": 1000, "b": 1}), (10, {"b": 1}), (20, {"a": 1003, "b": 1})).total == 3


def test_the_window_forgets():
    growth = grown(*((t, {"a": 100 if t >= 10 else 0}) for t in range(0, 130, 10)))
    assert (growth.total, growth.seconds) == (0, 60)


def test_scrapes_further_apart_than_the_window_still_count():
    growth = grown((0, {"a": 0}), (90, {"a": 9}))
    assert (growth.total, growth.seconds) == (9, 90)


def test_scrapes_much_further_apart_do_not():
    assert grown((0, {"a": 0}), (3600, {"a": 9})) is None


def test_a_clock_that_goes_back_starts_anew():
    assert grown((100, {"a": 0}), (50, {"a": 9})) is None
    assert grown((100, {"a": 0}), (50, {"a": 9}), (60, {"a": 10})).total == 1


def test_nan_is_no_value():
    assert grown((0, {"a": 1, "b": 1}), (10, {"a": math.nan, "b": 2}), (20, {"a": 3, "b": 2})).total == 3


def test_no_series_at_all_is_no_growth():
    assert grown((0, {}), (10, {})) is None


def test_series_that_come_and_go_do_not_pile_up():
    increases = Increases()
    for i in range(50):
        increases.advance(at(i), {("", f"{i}-{j}"): 1 for j in range(100)}, family=True)
    assert len(increases._last) <= 1300


@given(st.lists(st.lists(st.integers(0, 100), min_size=1, max_size=3), min_size=2, max_size=12))
def test_the_total_is_the_sum_of_what_was_added(runs):
    """Counters that start anew whenever a process does: each inner list is one process' increments per scrape."""
    scrapes, seconds, value, expected = [], 0, 0, 0
    for increments in runs:
        value = 0
        for increment in increments:
            before = scrapes[-1][1]["a"] if scrapes else None
            value += increment
            # A restart is only seen if the value fell.
            if before is not None:
                expected += value - before if value >= before else value
            scrapes.append((seconds, {"a": value}))
            seconds += 1
    growth = grown(*scrapes, window=timedelta(hours=1)) if len(scrapes) > 1 else None
    assert growth.total == expected


INF = math.inf


@pytest.mark.parametrize(
    ("q", "buckets", "expected"),
    [
        (0.5, {1: 10, 2: 10, INF: 10}, 0.5),
        (0.99, {0.1: 0, 1: 100, INF: 100}, 0.1 + 0.9 * 0.99),
        (0.99, {1: 50, INF: 100}, 1),  # above the highest finite bound: that bound
        (0.5, {-1: 10, INF: 10}, -1),  # the lowest bucket has no lower end if its bound is not positive
        (0.5, {1: 0, INF: 0}, None),
        (0.5, {INF: 10}, None),
        (0.5, {1: 10, 2: 20}, None),
        (0.5, {}, None),
        (0.5, {1: 10, 2: 9, INF: 10}, 0.5),  # a count below the one before it
    ],
)
def test_quantiles(q, buckets, expected):
    found = histogram_quantile(q, buckets)
    assert found == (pytest.approx(expected) if expected is not None else None)


bounds = st.lists(st.integers(1, 1000), min_size=1, max_size=8, unique=True).map(sorted)


@given(bounds, st.data(), st.floats(0.01, 0.99))
def test_a_quantile_as_found_by_walking_through_every_event(uppers, data, q):
    counts = [data.draw(st.integers(0, 20)) for _ in [*uppers, INF]]
    total, cumulative, buckets = sum(counts), 0, {}
    for upper, count in zip([*uppers, INF], counts, strict=True):
        cumulative += count
        buckets[upper] = cumulative
    found = histogram_quantile(q, buckets)
    if total == 0:
        assert found is None
        return
    # The oracle: the inverse of "how many events are at most x", by bisection.
    low, high = 0.0, float(uppers[-1])

    def at_most(x: float) -> float:
        seen, start = 0.0, 0.0
        for upper, count in zip(uppers, counts, strict=False):
            if x >= upper:
                seen += count
            elif x > start:
                seen += count * (x - start) / (upper - start)
            start = upper
        return seen

    if at_most(high) < q * total:
        assert found == high
        return
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(middle) < q * total * (1 - 1e-12) else (low, middle)
    assert found == pytest.approx(high, rel=1e-6, abs=1e-6)
