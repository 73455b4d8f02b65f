"""A rule's whole way: calibrated, judged after each scrape, told in a sentence, and stored."""

import subprocess
import sys

import numpy as np
import pytest

from tests.waiting import within
from watchdog.judge.compare.counting import bounds_of, calibrate_counts, edges_for, judge_counts
from watchdog.judge.compare.gates import Counts
from watchdog.judge.compare.pooling import signal_weights
from watchdog.judge.compare.power import fewest_requests
from watchdog.judge.compare.rule import healed
from watchdog.judge.compare.sentence import odds, share
from watchdog.judge.compare.together import together
from watchdog.model.comparison import CompareKind, CountCalibration, Judgement
from watchdog.model.measurement import Verdict

INTERVAL = 15.0
WEIGHTS = signal_weights({"errors-vs-before": "errors", "latency-vs-before": "latency"})


def counts(rng, scrapes, rates, requests=150):
    total = rng.poisson(requests, scrapes).astype(float)
    events = np.stack([rng.binomial(total.astype(int), rate) for rate in rates]).astype(float)
    return Counts(events, total[None], np.ones((1, scrapes)))


def calibrated(rates=(0.01,), kind=CompareKind.ratio, requests=150, scrapes=5760, earlier=5, **more):
    rng = np.random.default_rng(1)
    return calibrate_counts(
        kind, counts(rng, scrapes, rates, requests), np.ones(scrapes, bool), interval=INTERVAL, watch_seconds=600,
        weight=0.5, signals=2, earlier=tuple(counts(rng, 20, rates, requests) for _ in range(earlier)), **more,
    )  # fmt: skip


def judged(known, rates, scrapes=40, requests=150, seed=2, **more):
    after = counts(np.random.default_rng(seed), scrapes, rates, requests)
    return judge_counts("errors-vs-before", "errors", known, after, weight=0.5, **more)


def test_five_times_the_errors_fail_with_a_plain_sentence():
    found = judged(calibrated(), (0.05,))
    assert found.verdict is Verdict.failed
    assert found.tier == "fine"
    assert found.sentence.startswith("errors went from 0.96 % to 4.5 %, 273 of 6,038 requests; ")
    assert "a change this large by chance: less than 1 in" in found.sentence


def test_as_before_passes():
    found = judged(calibrated(), (0.01,))
    assert found.verdict is Verdict.passed
    assert found.ln_e < 0


def test_little_traffic_is_inconclusive():
    known = calibrated(requests=0.5)
    assert judged(known, (0.01,), requests=0.5).verdict is Verdict.inconclusive
    assert "cannot detect" in known.sees


def test_no_requests_are_inconclusive():
    found = judged(calibrated(), (0.5,), requests=0)
    assert (found.verdict, found.sentence) == (Verdict.inconclusive, "errors: no requests since the deploy")


def test_no_history_can_not_fail():
    nothing = Counts(np.zeros((1, 40)), np.zeros((1, 40)), np.zeros((1, 40)))
    known = calibrate_counts(
        CompareKind.ratio, nothing, np.ones(40, bool), interval=INTERVAL, watch_seconds=600, weight=0.5, signals=1
    )
    assert known.tracks[0].p_star == 1
    assert known.tracks[0].total == 0
    assert judged(known, (0.001,)).verdict is not Verdict.failed


def test_a_first_deploy_leaves_out_its_first_minute():
    known = calibrated(earlier=0)
    assert known.start_seconds == 60
    assert known.start_from == "only 0 earlier good deploys are known: the first 60 s are left out"


def test_a_start_as_long_as_the_watch_leaves_no_time_to_see_anything():
    rng = np.random.default_rng(3)
    before, starts = counts(rng, 5760, (0.01,)), [counts(rng, 20, (0.01,)) for _ in range(5)]
    for start in starts:
        start.events[:, :8] += 20
    known = calibrate_counts(
        CompareKind.ratio, before, np.ones(5760, bool), interval=INTERVAL, watch_seconds=90, weight=0.5, signals=1,
        earlier=tuple(starts),
    )  # fmt: skip
    assert known.start_seconds > 90
    assert known.sees.startswith("cannot detect any rise in 0 s at 10 requests/s")


@pytest.mark.parametrize(
    ("failed", "requests", "verdict"),
    [
        (0, 60, Verdict.passed),
        (1, 60, Verdict.inconclusive),  # p* allows 0.8: one is no sign that the rollback did not help
        (6, 60, Verdict.failed),
        (30, 2400, Verdict.passed),
        (35, 2400, Verdict.inconclusive),
        (60, 2400, Verdict.failed),
    ],
)
def test_what_is_over_the_usual_rate_by_chance_does_not_deny_a_recovery(failed, requests, verdict):
    known = calibrated()
    after = Counts(np.array([[float(failed)]]), np.array([[float(requests)]]), np.ones((1, 1)))
    found = judge_counts("errors-vs-before", "errors", known, after, weight=0.5)
    assert found.p_star == pytest.approx(0.0129, rel=0.05)
    assert healed(known, found) is verdict


def test_latency_tests_three_edges():
    known = calibrated((0.5, 0.1, 0.02), CompareKind.latency, edges=(0.1, 0.25, 1.0))
    assert [track.edge for track in known.tracks] == [0.1, 0.25, 1.0]
    found = judged(known, (0.7, 0.2, 0.05))
    assert found.verdict is Verdict.failed
    assert found.group == "latency"
    above = np.array([[995.0], [500], [100], [20], [1]])
    assert edges_for(above, np.array([1000.0])) == (1, 2, 3)


def test_trouble_of_old_and_new_pods_alike_is_not_the_new_version_s_doing():
    known, rng = calibrated(), np.random.default_rng(3)
    assert judged(known, (0.05,), beside=counts(rng, 40, (0.05,))).verdict is not Verdict.failed
    assert judged(known, (0.05,), beside=counts(rng, 40, (0.01,))).verdict is Verdict.failed


def test_findings_are_stored_as_json():
    known = calibrated()
    assert CountCalibration.model_validate_json(known.model_dump_json()) == known
    judgement = together([judged(known, (0.05,))])
    assert Judgement.model_validate_json(judgement.model_dump_json()) == judgement


def test_looking_scrape_by_scrape_finds_what_looking_at_the_end_does():
    known, after = calibrated(), counts(np.random.default_rng(2), 40, (0.05,))
    whole = judge_counts("r", "errors", known, after, weight=0.5)
    for scrapes in (1, 4, 5, 17):
        part = Counts(after.events[:, :scrapes], after.total[:, :scrapes], after.reach[:, :scrapes])
        assert judge_counts("r", "errors", known, part, weight=0.5).ln_e == pytest.approx(whole.course[scrapes - 1])


def test_bounds_come_back_from_the_stored_calibration():
    known = calibrated()
    assert bounds_of(known).p_star.tolist() == [known.tracks[0].p_star]


@pytest.mark.parametrize(
    ("requests", "text"),
    [
        (1500, "cannot detect less than ×1.6 in 10 min at 100 requests/s"),
        (15, "cannot detect less than ×4.5 in 10 min at 1 requests/s"),
        (3, "cannot detect less than ×11 in 10 min at 0.2 requests/s"),
    ],
)
def test_what_traffic_can_show_in_words(requests, text):
    assert calibrated(requests=requests).sees == text


def test_fewest_requests_of_any_test():
    assert 30 < fewest_requests(0.01, 0.05, 0.01) < 60


@pytest.mark.parametrize(("rate", "text"), [(0.0011, "0.11 %"), (0.049, "4.9 %"), (0.63, "63 %"), (0, "0 %")])
def test_shares(rate, text):
    assert share(rate) == text


def test_odds():
    assert odds(np.log(9412)) == "a change this large by chance: less than 1 in 9,400"


def test_nothing_else_imports_the_arrays():
    """A config without compare rules must not pay for numpy."""
    code = "import sys, watchdog.app, watchdog.judge.decide; sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=within(60), check=False).returncode == 0
    code = "import sys, watchdog.judge.compare.counting as _; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=within(60), check=False).returncode == 0
