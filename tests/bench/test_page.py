"""The page of the rollback bench: where it is behind the design, what no test could find, what the start teaches."""

import pytest

from bench.rollback import design, learning, limits
from bench.rollback.__main__ import RATES
from bench.rollback.page import page
from bench.rollback.running import SMALLER, WAYS
from bench.rollback.scenarios import BAD, COLD, EVERY, OFTEN
from bench.rollback.scores import Cell
from bench.rollback.services import NOISES

NAMES = [noise.name for noise in NOISES]
PHI = {"errors": 1.0, "latency": 1.0}


def scores(**changes):
    """A perfect engine, but for what is given by scenario."""
    good, bad = Cell(500, 0, float("nan"), float("nan"), 0, PHI), Cell(500, 500, 60, 60, 0, PHI)
    usual = {scenario.name: bad if scenario.bad else good for scenario in EVERY}
    cells = {**usual, **{name: cell for name, cell in changes.items() if name in usual}}
    return {
        (n, r, s, way): cell for n in NAMES for r in RATES for s, cell in cells.items() for way in (*WAYS, *SMALLER)
    }


def limit(name):
    return limits.limit_of(next(scenario for scenario in BAD if scenario.name == name))


def test_a_perfect_engine_is_not_behind_the_design():
    said = design.compared(scores(), RATES)
    assert said == "With over-dispersed noise, 12 of 12 cells are as good as the design's reference or better."


def test_where_it_is_behind_the_numbers_are_named():
    said = design.compared(scores(**{"errors 1→5 %": Cell(500, 450, 100, 200, 0, PHI)}), RATES)
    assert "9 of 12 cells" in said
    assert "- errors 1→5 %, 10/s: 90 % found (95 % interval 87–92); the design's reference is 100 %" in said
    assert "- errors 1→5 %, 100/s: 90 % found" in said
    assert "found in 100 s; the design's reference is 90 s; any test needs 39 requests, 0.391 s" in said
    assert "errors 1→5 %, 1/s" not in said


def test_an_interval_that_holds_the_reference_is_said_to():
    said = design.compared(scores(**{"nothing changes": Cell(2000, 14, 60, 60, 0, PHI)}), RATES)
    assert "- nothing changes, 1000/s: .7 % rolled back (95 % interval .4–1.2); the" not in said
    assert "nothing changes, 1000/s: .7 % rolled back (95 % interval .4–1.2, which holds the reference)" in said
    assert "nothing changes, 100/s" not in said


def test_more_errors_need_fewer_requests_and_allowing_needs_more():
    small, large = limit("errors 1→2 %"), limit("errors 1→5 %")
    assert (round(small.any_test), round(large.any_test)) == (413, 39)
    assert small.allowing > 2 * small.any_test
    assert limit("latency ×1.2").any_test > limit("latency ×1.5").any_test > limit("latency ×3").any_test


def test_a_late_fault_leaves_fewer_requests():
    assert limit("1→5 % after 8 min").seconds == 120


def test_a_leak_is_not_in_the_requests():
    assert limit("memory leak 1–10 %/min") is None


def test_noise_asks_for_as_many_times_the_requests():
    cell = Cell(500, 100, 300, 500, 0, {"errors": 10.0, "latency": 1.0})
    assert limit("errors 1→2 %").needed(cell) == pytest.approx(10 * limit("errors 1→2 %").allowing)


def test_cells_that_find_little_are_explained():
    said = "\n".join(limits.section(scores(**{"errors 1→2 %": Cell(500, 10, 300, 500, 0, PHI)}), NAMES, RATES))
    assert "| errors 1→2 % | 413 | 1,195 | 2.0 (600 < 1,195) | 2.0 (6,000 ≥ 1,195)" in said
    assert "fewer requests than such a test needs: errors 1→2 % at 1/s\n" in said


def test_cold_starts_over_the_budget_are_named():
    *_, said = learning.section(scores(**{COLD[2]: Cell(500, 6, 60, 60, 0, PHI)}), NAMES[:1], RATES[:1])
    assert (
        said
        == "Cold starts, learnt: below 1 % in 0 of 1 cells; not in these: binomial noise at 1/s: 1.2 [.6–2.6] (2.4) %."
    )
    assert learning.section(scores(), NAMES, RATES)[-1] == "Cold starts, learnt: below 1 % in all 12 cells."


def test_cold_starts_have_more_runs():
    assert set(COLD) <= set(OFTEN)


def test_the_page_has_a_row_for_every_scenario():
    written = page({"date": "today"}, "python -m bench.rollback", scores(), NAMES, RATES)
    assert [s.name for s in EVERY if f"\n| {s.name} |" not in written] == [COLD[0]]


def test_the_page_tells_what_a_smaller_budget_costs_for_each_noise():
    written = page({"date": "today"}, "python -m bench.rollback", scores(), NAMES, RATES)
    perfect = "0 / 0 / 0 / 0 % | 100 / 100 / 100 / 100 % in 60 / 60 / 60 / 60 s |"
    assert written.count(f"\n| ours, budget .1 % | {perfect}") == len(NAMES)
