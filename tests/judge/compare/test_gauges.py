"""CPU and memory: blocks, levels, seasons, trends."""

import re

import numpy as np
import pytest

from watchdog.judge.compare import gauges, gauging, growth
from watchdog.model.measurement import Verdict

INTERVAL = 15.0


def noisy(level, scrapes, seed=1, sd=0.05):
    return level * np.exp(sd * np.random.default_rng(seed).standard_normal(scrapes))


def minutes(values):
    return gauges.blocks(values, INTERVAL)


def judged(after, before=None, **more):
    before = noisy(0.2, 5760) if before is None else before
    known = gauging.calibrate_level(before, interval=INTERVAL, watch_seconds=600, higher_is_worse=True)
    return gauging.judge_level("cpu", "cpu", known, after, interval=INTERVAL, weight=0.25, **more)


def test_blocks_leave_out_what_is_missing():
    assert gauges.blocks(np.array([1, 3, np.nan, 2, np.nan, np.nan, np.nan, np.nan, 9.0]), INTERVAL)[0] == 2
    assert np.isnan(gauges.blocks(np.array([np.nan] * 4), INTERVAL)[0])


def test_twice_the_cpu_fails_within_three_minutes():
    assert judged(noisy(0.4, 12, seed=2)).verdict is Verdict.failed


def test_the_same_cpu_passes():
    found = judged(noisy(0.2, 40, seed=3))
    assert found.verdict is Verdict.passed
    assert "not worse" in found.sentence or "nothing unusual" in found.sentence


def test_less_cpu_never_fails():
    assert judged(noisy(0.05, 40, seed=4)).ln_e <= 0


def test_a_tenth_more_of_a_very_steady_gauge_does_no_harm():
    steady = np.full(5760, 0.2)
    assert judged(np.full(40, 0.22), before=steady).ln_e <= 0


def test_no_samples_are_inconclusive():
    assert judged(np.full(40, np.nan)).verdict is Verdict.inconclusive
    assert judged(np.zeros(0)).verdict is Verdict.inconclusive


def test_the_same_time_yesterday_must_agree():
    after = noisy(0.4, 40, seed=5)
    assert judged(after, yesterday=minutes(noisy(0.4, 40, seed=6))).verdict is Verdict.passed
    assert judged(after, yesterday=minutes(noisy(0.2, 40, seed=6))).verdict is Verdict.failed


def test_a_view_per_request_must_agree():
    """Three times the traffic needs more CPU; a request needs no more than before."""
    known = gauging.calibrate_level(noisy(0.002, 5760), interval=INTERVAL, watch_seconds=600, higher_is_worse=True)
    assert judged(noisy(0.5, 40), others=((known, noisy(0.0017, 40)),)).verdict is Verdict.passed


@pytest.mark.parametrize(("values", "s", "variance"), [([1, 2, 3, 4], 6, 8.666667), ([1, 1, 2, 2], 4, 6.666667)])
def test_mann_kendall(values, s, variance):
    assert growth.mann_kendall(np.array(values, float)) == (s, pytest.approx(variance))


def test_theil_sen_is_the_median_slope():
    outlier = np.array([0, 1, 2, 3, 100.0])
    assert growth.middle(growth.slopes_between(np.arange(5.0), outlier)) == 1


def test_its_lower_bound_goes_by_sens_ranks():
    slopes = growth.slopes_between(np.arange(5.0), np.array([0, 1, 3, 6, 10.0]))
    assert slopes.tolist() == [1, 1.5, 2, 2, 2.5, 2.5, 3, 3, 3.5, 4]
    assert growth.lower_bound(slopes, 0.0) == 2.5
    assert growth.lower_bound(slopes, 16.7) == 1.5  # the (10 - 1.645·√16.7) / 2 = 1.6th: the second
    assert growth.lower_bound(slopes, 1e9) == 1


def test_autocorrelation_makes_a_trend_less_certain():
    rng = np.random.default_rng(7)
    slow = np.cumsum(rng.standard_normal(60)) * 0.9
    steps = np.arange(60.0)
    level = slow - growth.middle(growth.slopes_between(steps, slow)) * steps
    assert growth.hamed_rao(level, float(np.abs(slow).max())) > 1.5
    assert growth.hamed_rao(rng.standard_normal(60), 3.0) < 1.6


def grown(values, limit=1e9, before=None):
    known = gauging.calibrate_growth(before, interval=INTERVAL, limit=limit)
    return gauging.judge_growth("memory", "memory", known, values, interval=INTERVAL, watch_seconds=600, weight=0.1)


MINUTES = np.arange(40) * INTERVAL / 60


def test_a_leak_fails_at_half_the_watch():
    leak = noisy(5e8, 40, sd=0.003) * (1 + 0.05 * MINUTES)
    assert grown(leak[:19]).verdict is Verdict.inconclusive
    assert grown(leak[:20]).verdict is Verdict.failed
    assert "reaches its limit in" in grown(leak[:20]).sentence


def test_a_long_watch_says_the_same_by_means_of_blocks():
    """As many blocks as can be of one length: of 242 values 48 of five, without the first two."""
    times, leak = np.arange(242.0), noisy(5e8, 242, sd=0.003) * (1 + 0.05 * np.arange(242) / 240)
    found, whole = growth.trend(times, leak), growth.slopes_between(times, leak)
    assert found is not None
    assert found.slope == pytest.approx(growth.middle(whole), rel=0.03)
    assert found.p < 1e-9
    fives = (times[2:].reshape(48, 5).mean(axis=1), leak[2:].reshape(48, 5).mean(axis=1))
    assert growth.trend(*fives) == found
    gaps = leak.copy()
    gaps[[3, 50, 51, 200]] = np.nan
    with_gaps = growth.trend(times, gaps)
    assert with_gaps is not None
    assert with_gaps.slope == pytest.approx(found.slope, rel=0.03)


def test_a_cache_that_fills_up_is_no_leak():
    assert grown(noisy(5e8, 40, sd=0.003) * (1.4 - 0.4 * np.exp(-MINUTES / 2))).verdict is Verdict.passed


def test_the_previous_version_grew_as_fast():
    leak = noisy(5e8, 40, sd=0.003) * (1 + 0.01 * MINUTES)
    assert grown(leak, before=noisy(5e8, 40, seed=9, sd=0.003) * (1 + 0.01 * MINUTES) * 1.2).verdict is Verdict.passed


def test_without_a_limit_growth_is_told_but_never_fails():
    found = grown(noisy(5e8, 40, sd=0.003) * (1 + 0.05 * MINUTES), limit=None)
    assert found.verdict is Verdict.passed
    assert found.sentence.endswith(" an hour; no limit is known: it never rolls back")


def test_the_sentence_has_plain_numbers():
    fast = grown(noisy(5e8, 40, sd=0.003) * (1 + 0.3 * MINUTES), before=noisy(5e8, 40, seed=9, sd=0.003))
    assert re.match(r"memory grows by [\d,]+ % an hour \(before, at this age: -?[\d.]+ %\), and", fast.sentence)
