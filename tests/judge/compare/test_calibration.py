"""From a history to bounds: baselines, φ, edges, usual starts."""

import numpy as np
import pytest

from watchdog.judge.compare import baseline, dispersion, startup
from watchdog.judge.compare.calibrate import History, calibrate
from watchdog.judge.compare.latency import choose_edges, pick
from watchdog.judge.compare.tiers import RATIO

INTERVAL = 15.0
DAY = 5760


def windows(events, total):
    k, n, seconds = baseline.window_sums(
        np.array([events], float), np.array([total], float), np.array([len(total)]), 15.0
    )
    return float(k[0, 0]), float(n[0, 0]), float(seconds[0, 0])


@pytest.mark.parametrize(
    ("errors_a_scrape", "seconds"), [(2.0, 1800), (0.5, 7200), (0.2, 21600), (0.05, 86400), (0.0, 86400)]
)
def test_the_shortest_window_with_enough_events(errors_a_scrape, seconds):
    assert windows([errors_a_scrape] * DAY, [150] * DAY)[2] == seconds


def test_what_is_cut_out_is_not_in_the_baseline():
    times = np.arange(DAY) * INTERVAL
    kept = baseline.usable(times, [(0, 43000), (80000, 90000)])
    assert kept.sum() == ((times > 43000) & (times < 80000)).sum()


def test_an_incident_that_nobody_noted_is_found():
    errors = np.full((1, DAY), 2.0)
    errors[:, 3000:3040] = 60
    kept = baseline.without_incidents(errors, np.full((1, DAY), 150.0), np.ones((1, DAY), bool), INTERVAL)
    assert not kept[0, 3000:3040].any()
    assert kept.mean() > 0.98


def test_what_happens_every_hour_is_no_incident():
    errors = np.full((1, DAY), 2.0)
    for begin in range(0, DAY, 120):
        errors[:, begin : begin + 8] = 60
    assert baseline.without_incidents(errors, np.full((1, DAY), 150.0), np.ones((1, DAY), bool), INTERVAL).all()


def services(rng, many, sigma, rate=150):
    n = np.full((many, DAY), float(rate))
    p = 0.01 * np.exp(sigma * rng.standard_normal((many, DAY // 8)) - sigma**2 / 2)
    return rng.binomial(rate, np.repeat(p, 8, axis=1)).astype(float), n


def phi_of(events, total):
    return dispersion.by_placebos(events, total, tolerance=RATIO, watch=40, interval=INTERVAL, signals=1)


def test_chance_alone_needs_no_correction():
    fine, gross, placebos = phi_of(*services(np.random.default_rng(1), 4, 0.0))
    assert fine.tolist() == gross.tolist() == [1, 1, 1, 1]
    assert placebos.tolist() == [141] * 4


def test_rates_that_move_raise_phi():
    fine, _, _ = phi_of(*services(np.random.default_rng(2), 4, 0.5, rate=15_000))
    assert (fine > 20).all()


def test_phi_is_the_smallest_step_that_no_placebo_exceeds():
    """Asked of all placebos at once, without the shortcuts."""
    events, total = services(np.random.default_rng(3), 1, 0.4, rate=1500)
    fine, _, _ = phi_of(events, total)
    begins = dispersion.placebo_moments(DAY, 40, INTERVAL)
    base_k, base_n, _ = baseline.window_sums(events, total, begins, INTERVAL)
    shape = (len(begins), 40)
    rows = dispersion._Placebos(
        events[0, begins[0] :].reshape(shape), total[0, begins[0] :].reshape(shape), base_k[0], base_n[0],
        np.full(len(begins), np.log(len(begins))), np.zeros(len(begins), int),
    )  # fmt: skip
    steps = [1.5**j for j in range(20)]
    smallest = next(
        phi for phi in steps if not dispersion._fine(rows, np.full(len(begins), phi), RATIO, 1, INTERVAL).any()
    )
    assert fine[0] == pytest.approx(smallest * (dispersion.MARGIN if smallest > 2 else 1))


def test_pearson_of_chance_alone_is_its_margin():
    events, total = services(np.random.default_rng(4), 200, 0.0, rate=1500)
    assert 1.2 < np.median(dispersion.pearson(events, total, INTERVAL)) < 2.2


def test_a_usual_half_hour_says_how_counts_spread():
    rng = np.random.default_rng(6)
    calm, moving = services(rng, 20, 0.0, rate=1500), services(rng, 20, 0.4, rate=1500)
    assert dispersion.spread(*calm, INTERVAL) == pytest.approx(np.ones(20), abs=0.2)
    # 120 errors in a block, whose rate's variance is exp(.4²) − 1: φ = 1 + 120·.174
    assert np.median(dispersion.spread(*moving, INTERVAL)) == pytest.approx(21.8, rel=0.2)


def test_neither_a_bad_hour_nor_one_without_requests_is_usual():
    events, total = services(np.random.default_rng(7), 1, 0.0, rate=1500)
    before = dispersion.spread(events, total, INTERVAL)
    events[:, 3000:3240:8] *= 30
    events[:, 100:2000], total[:, 100:2000] = 0, 0
    assert dispersion.spread(events, total, INTERVAL) == pytest.approx(before, rel=0.1)
    assert dispersion.spread(np.zeros((1, DAY)), np.zeros((1, DAY)), INTERVAL).tolist() == [1]
    assert dispersion.spread(events[:, :50], total[:, :50], INTERVAL).tolist() == [1]


def test_a_history_that_was_calm_by_luck_still_has_its_spread():
    """Where placebos ask for no correction, Pearson's φ does."""
    events, total = services(np.random.default_rng(8), 8, 0.2, rate=450)
    found = calibrate(
        History(events[:, None], total, np.ones(total.shape, bool)), tolerance=RATIO, watch_seconds=600,
        interval=INTERVAL, signals=1, start=np.zeros(8), start_peak=np.zeros((8, 1)),
    ).bounds  # fmt: skip
    assert (phi_of(events, total)[0] == 1).any()
    assert (found.phi[:, 0] >= dispersion.spread(events, total, INTERVAL) ** 0.4).all()
    assert (found.phi > 1.2).all()


def test_many_services_at_once_get_what_each_gets_alone():
    events, total = services(np.random.default_rng(5), 3, 0.4, rate=1500)
    events = np.stack([events, np.roll(events, 100, axis=1) * 2], axis=1)
    kept = np.ones(total.shape, bool)

    def found(rows):
        many = len(total[rows])
        return calibrate(
            History(events[rows], total[rows], kept[rows]), tolerance=RATIO, watch_seconds=600, interval=INTERVAL,
            signals=2, start=np.zeros(many), start_peak=np.zeros((many, 2)),
        ).bounds  # fmt: skip

    together = found(slice(None))
    for row in range(3):
        alone = found(slice(row, row + 1))
        for name in ("p_star", "phi", "gross_star", "gross_phi", "usual"):
            assert getattr(together, name)[row].tolist() == getattr(alone, name)[0].tolist()


def test_edges_near_a_half_a_tenth_and_a_fiftieth():
    above = np.array([[995, 920, 480, 110, 15, 1]], float)
    assert choose_edges(above, np.array([1000.0])).tolist() == [[2, 3, 4]]


def test_edges_are_different_ones_where_there_are_enough():
    above = np.array([[900, 800, 700, 600]], float)
    assert sorted(choose_edges(above, np.array([1000.0]))[0].tolist()) == [1, 2, 3]


def test_few_edges_are_used_more_than_once():
    above = np.array([[300, 20]], float)
    edges = choose_edges(above, np.array([1000.0]))
    assert edges.tolist() == [[0, 0, 1]]
    assert pick(np.arange(6.0).reshape(1, 2, 3), edges)[0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]


def learnt(starts):
    """(seconds, peak) of starts given as errors of 150 requests in each scrape."""
    events = np.array(starts, float)[None, :, None, :]
    total = np.full((1, len(starts), 1, events.shape[-1]), 150.0)
    start, peak = startup.learn(events, total, np.full((1, len(starts), 1), 0.013), np.ones((1, 1)), INTERVAL)
    return float(start[0]), float(peak[0, 0])


def test_a_service_that_starts_well_is_counted_from_the_first_scrape():
    assert learnt([[1, 2] * 10] * 3) == (0, 0)


def test_a_slow_start_is_left_out_with_room_for_a_slower_one():
    seconds, peak = learnt([[30, 25, 20, 10] + [1, 2] * 8] * 3)
    assert 75 <= seconds <= 130
    assert peak == pytest.approx(0.2)


def test_trouble_long_after_the_start_is_not_the_start():
    assert learnt([[1] * 12 + [40] * 3 + [1] * 5] * 3)[0] == 0


def test_two_earlier_deploys_are_too_few_to_skip_the_first_minute():
    assert learnt([[1, 2] * 10] * 2)[0] == startup.UNLEARNED_START
