"""Literal counts and what the two tiers make of them. A scrape every 15 s, 10 requests a second unless said."""

import numpy as np
import pytest

from watchdog.judge.compare.dispersion import least_phi
from watchdog.judge.compare.gates import Begun, Counts, lasting, not_a_blip, recovering
from watchdog.judge.compare.pooling import both_tiers
from watchdog.judge.compare.tiers import RATIO, Bounds, course, since

INTERVAL = 15.0
ENOUGH = np.log(400)


def counts(errors, requests=150):
    errors = np.array(errors, float)
    total = np.broadcast_to(np.array(requests, float), errors.shape)
    return Counts(errors[None], total[None].copy(), (total > 0)[None] * 1.0)


def bounds(rate=0.01, phi=1.0, start=0.0):
    p_star = max(1.25 * rate + 0.0005, 0.0)
    gross = RATIO.gross_bound(np.array([rate]))
    return Bounds(
        np.array([p_star]), np.array([phi]), gross, np.ones(1), np.array(start), np.zeros(1), np.array([150.0])
    )


def evidence(errors, requests=150, **known):
    found = course(counts(errors, requests), bounds(**known), INTERVAL)
    return both_tiers(found.gross, found.fine)


def tripped_at(errors, requests=150, **known):
    over = evidence(errors, requests, **known) >= ENOUGH
    return (over.argmax() + 1) * INTERVAL if over.any() else None


def test_five_times_the_errors_trip_within_two_minutes():
    assert tripped_at([8] * 40) == 60


def test_as_many_errors_as_before_never_trip():
    assert tripped_at([1, 2] * 20) is None


def test_fewer_errors_never_trip():
    assert evidence([0] * 40).max() <= 0


def test_gross_errors_trip_after_half_a_minute():
    assert tripped_at([75] * 10) == 30


def test_a_blip_of_thirty_seconds_never_trips():
    assert tripped_at([1, 2] * 5 + [15, 15] + [1, 2] * 14) is None


def test_a_late_fault_trips_though_ten_minutes_were_good():
    late = tripped_at([1, 2] * 20 + [8] * 20)
    assert late is not None
    assert 600 < late <= 720


def test_the_start_up_is_left_out():
    assert tripped_at([8] * 6 + [1, 2] * 17, start=90.0) is None


def test_recovering_errors_do_not_trip():
    falling = counts([60, 40, 27, 18, 12, 8])
    opened = recovering(falling, np.array([[0.013]]), np.ones((1, 1)), INTERVAL)
    assert opened[0, -1]


def test_errors_that_stay_are_not_recovering():
    assert not recovering(counts([8, 9, 7, 8, 9, 8]), np.array([[0.013]]), np.ones((1, 1)), INTERVAL).any()


@pytest.mark.parametrize("scrape", range(4))
def test_the_excess_must_be_in_every_part_of_the_last_minute(scrape):
    errors = [80.0] * 4
    errors[scrape] = 10.0
    assert not lasting(counts(errors, 1500), np.array([[0.013]]), INTERVAL, 60.0)[0, 3]


def test_without_its_worst_stretch_the_rest_must_speak():
    blip, fault = counts([1, 2, 1, 30, 30, 30, 1, 2]), counts([8] * 8)
    shown = [
        not_a_blip(Begun.of(each, np.array([0])), each, np.array([[0.013]]), np.ones((1, 1)), INTERVAL)
        for each in (blip, fault)
    ]
    assert [bool(each[0, 0, -1]) for each in shown] == [False, True]


def test_an_increment_that_reaches_back_over_the_start_is_left_out():
    reaching = Counts(np.full((1, 4), 3.0), np.full((1, 4), 150.0), np.array([[1.0, 1, 3, 1]]))
    assert since(reaching, np.array(30.0), INTERVAL).total.tolist() == [[0, 0, 0, 150]]


def test_more_traffic_does_not_make_noise_evidence():
    """With φ = 10 at 10 requests a second, φ is 28 at three times as much."""
    usual, busy = evidence([3] * 40, 150, phi=10.0), evidence([9] * 40, 450, phi=10.0)
    assert busy[-1] < 1.2 * max(usual[-1], 1.0)


def test_nor_where_the_history_was_too_calm_for_placebos_to_ask_for_a_correction():
    """With a spread of 6, φ is at least 2.0 at 10 requests a second, and at three times as much at least the 3.0 that a
    spread of 16 asks for."""
    phi = float(least_phi(np.array(6.0)))
    usual, busy, blind = (evidence([k] * 40, n, phi=p) for k, n, p in ((4, 150, phi), (12, 450, phi), (12, 450, 1.0)))
    assert usual[-1] == pytest.approx(evidence([4] * 40, 150, phi=6**0.4)[-1])
    assert busy[-1] <= evidence([12] * 40, 450, phi=1 + 2.03 / 3)[-1]
    assert busy[-1] < blind[-1] / 2


def test_a_least_phi_that_grows_with_traffic_is_that_of_the_grown_spread_or_more():
    spread, traffic = np.linspace(1, 1000, 500)[:, None], np.linspace(1, 50, 100)
    assert (1 + (least_phi(spread) - 1) * traffic >= least_phi(1 + (spread - 1) * traffic) - 1e-9).all()
