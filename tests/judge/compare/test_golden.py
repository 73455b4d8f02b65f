"""The numbers that the method's description gives; each formula here must hold them exactly."""

import numpy as np
import pytest

from watchdog.judge.compare import eprocess, growth, probing, restarts
from watchdog.judge.compare.tiers import LATENCY, RATIO


@pytest.mark.parametrize(
    ("p_star", "events", "total", "ln_e"),
    [(0.00225, 6, 600, 2.8432), (0.0135, 20, 1000, -0.0459), (0.6, 190, 250, 11.9244)],
)
def test_evidence_of_counts(p_star, events, total, ln_e):
    assert eprocess.ln_e(p_star, events, total) == pytest.approx(ln_e, abs=5e-5)


@pytest.mark.parametrize(
    ("events", "total", "phi", "p_star"),
    [(180, 180000, 1, 0.00175), (180, 180000, 10, 0.0019630), (2, 1800, 1, 0.0062223)],
)
def test_null_bound(events, total, phi, p_star):
    assert RATIO.fine_bound(np.array(events), np.array(total), np.array(phi), 1) == pytest.approx(p_star, abs=5e-8)


def test_tolerances():
    assert (RATIO.times, RATIO.plus, LATENCY.times, LATENCY.plus) == (1.25, 0.0005, 1.15, 0.0005)
    assert RATIO.gross_bound(np.array([0.001, 0.05])).tolist() == pytest.approx([0.101, 0.25])
    assert LATENCY.gross_bound(np.array([0.02, 0.2])).tolist() == pytest.approx([0.42, 0.8])


@pytest.mark.parametrize(("count", "e"), [(2, 1392.8), (3, 267737)])
def test_restarts_in_five_minutes(count, e):
    assert np.exp(restarts.ln_e(count, 300)) == pytest.approx(e, rel=1e-5)


@pytest.mark.parametrize(("failures", "e"), [(1, 24.4), (2, 851.6), (3, 34418)])
def test_probes_that_fail_in_a_row(failures, e):
    assert np.exp(probing.ln_e(failures, failures)) == pytest.approx(e, rel=2e-3)


def test_evidence_of_a_trend():
    found = growth.Trend(p=1e-6, slope=1, lower_slope=1, level=0, flattening=False)
    assert found.e == pytest.approx(0.5 * 1e3)
