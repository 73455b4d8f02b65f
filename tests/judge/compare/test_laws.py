"""Laws that hold for any counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchdog.judge.compare import eprocess, pooling
from watchdog.judge.compare.gates import Counts
from watchdog.judge.compare.pooling import both_tiers
from watchdog.judge.compare.tiers import RATIO, Bounds, course, fine_evidence

INTERVAL = 15.0
rates = st.floats(1e-4, 0.6)
histories = st.tuples(st.integers(0, 500), st.integers(600, 100_000))


def bounds(history, phi=1.0):
    k, n = (np.array([float(x)]) for x in history)
    star = RATIO.fine_bound(k, n, np.array([phi]), 2)
    return Bounds(star, np.array([phi]), RATIO.gross_bound(k / n), np.ones(1), np.array(0.0), np.zeros(1), n / 120)


def evidence(events, total, known, reach=None):
    events, total = np.array([events], float), np.array([total], float)
    reach = (total > 0) * 1.0 if reach is None else np.array([reach], float)
    found = course(Counts(events, total, reach), known, INTERVAL)
    return both_tiers(found.gross, found.fine)


@st.composite
def watches(draw):
    scrapes = draw(st.integers(1, 40))
    total = draw(st.lists(st.integers(0, 5000), min_size=scrapes, max_size=scrapes))
    return [draw(st.integers(0, n)) for n in total], total


@given(histories, st.integers(1, 60))
def test_no_requests_are_no_evidence(history, scrapes):
    assert evidence([0] * scrapes, [0] * scrapes, bounds(history)).max() == pytest.approx(0, abs=1e-9)


@given(histories, watches(), st.data())
@settings(max_examples=50)
def test_a_gap_never_trips_by_itself(history, watch, data):
    """What follows the gap is as it was; within it the evidence is not over what it was before it."""
    events, total = watch
    known, gap = bounds(history), data.draw(st.integers(1, 20))
    before = evidence(events, total, known)
    after = evidence(events + [0] * gap, total + [0] * gap, known, [1] * len(total) + [0] * gap)
    enough = pooling.needed()
    assert (before >= enough).any() == (after >= enough).any() or _opens_late(before, after, enough)


def _opens_late(before, after, enough):
    """A gate may open once the minute before is over, on evidence that was there before the gap."""
    return not (before >= enough).any() and len(after) > len(before)


@given(rates, st.integers(1, 100_000), st.data())
def test_more_events_are_never_less_evidence(p_star, total, data):
    k = data.draw(st.integers(0, total - 1))
    assert eprocess.ln_e(p_star, k + 1, total) >= eprocess.ln_e(p_star, k, total) - 1e-9


@given(rates, st.integers(1, 100_000), st.data())
def test_only_more_is_bad(p_star, total, data):
    k = data.draw(st.integers(0, int(p_star * total)))
    assert eprocess.ln_e(p_star, k, total) <= 1e-6


@given(histories, watches())
@settings(max_examples=50)
def test_an_improvement_never_trips(history, watch):
    events, total = watch
    rate = history[0] / history[1]
    fewer = [min(k, int(rate * n)) for k, n in zip(events, total, strict=True)]
    assert evidence(fewer, total, bounds(history)).max() <= 1e-6


@given(rates, st.integers(0, 1000), st.integers(1001, 100_000), st.floats(1, 1000), st.floats(1, 1000))
def test_doubt_about_the_noise_is_never_more_evidence(p_star, events, total, phi, more):
    plain = eprocess.ln_e(p_star, events / phi, total / phi)
    assert eprocess.ln_e(p_star, events / (phi * more), total / (phi * more)) <= max(plain, 0) + 1e-9


@given(st.integers(1, 400), st.integers(2, 50))
def test_more_traffic_tells_the_same_better(events, times):
    """The same rates with more traffic: evidence for harm only grows, and evidence of none never turns to harm."""
    p_star = 0.0125
    few, many = eprocess.ln_e(p_star, events, 10_000), eprocess.ln_e(p_star, events * times, 10_000 * times)
    assert many >= few - 1e-9 if few > 0 else many <= 1e-6 or events / 10_000 > p_star


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=7))
def test_the_pooled_evidence_is_between_its_parts(found):
    names = [f"s{i}" for i in range(len(found))]
    weights = pooling.signal_weights(dict.fromkeys(names, "errors"))
    courses = {name: np.array([value]) for name, value in zip(names, found, strict=True)}
    together_ = float(pooling.pooled(courses, weights)[0])
    assert together_ <= max(found) + 1e-9
    assert together_ >= max(found) + np.log(1 / len(found)) - 1e-9


@given(watches(), histories, st.integers(1, 20))
@settings(max_examples=50)
def test_what_comes_later_changes_nothing_before(watch, history, more):
    """So that a trip, once seen, is the same whenever it is looked at again."""
    events, total = watch
    whole = evidence(events + [5] * more, total + [100] * more, bounds(history))
    assert whole[: len(events)] == pytest.approx(evidence(events, total, bounds(history)))


@pytest.mark.slow
def test_ten_thousand_good_watches_trip_in_one_of_a_hundred_at_most():
    """Stationary, binomial; looked at after every scrape, without the gates that would help."""
    rng = np.random.default_rng(5)
    watches_, before, after = 10_000, 120, 40
    p, n = 0.01, 150
    k0 = rng.binomial(n * before, p, watches_).astype(float)
    events = rng.binomial(n, p, (watches_, 1, after)).astype(float)
    counts = Counts(events, np.full((watches_, 1, after), float(n)), np.ones((watches_, 1, after)))
    star = RATIO.fine_bound(k0, np.full(watches_, float(n * before)), np.ones(1), 1)[:, None, None]
    bare = eprocess.ln_e(star, np.cumsum(events, axis=-1), np.cumsum(counts.total, axis=-1))
    ours = fine_evidence(counts, star, np.ones((1, 1, 1)), INTERVAL)
    for found in (bare, ours):
        assert (found.max(axis=(1, 2)) >= pooling.needed()).mean() <= 0.01
