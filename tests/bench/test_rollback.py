"""The rollback bench's own parts: what it draws, how it scores, when its short version fails."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from bench.rollback import others, ours, quick, scenarios
from bench.rollback.__main__ import compare
from bench.rollback.plots import plot
from bench.rollback.running import SMALLER, WAYS, Task, run
from bench.rollback.scores import Cell, table
from bench.rollback.services import EDGES, INTERVAL, NOISES, WATCH, Moves, Stretch, missing, observe
from bench.rollback.tables import percent
from watchdog.judge.compare.counting import calibrate_counts, judge_counts
from watchdog.judge.compare.gates import Counts
from watchdog.model.comparison import CompareKind


@pytest.fixture(scope="module")
def answer():
    names = ("errors 1→5 %", "nothing changes", "an improvement")
    return run(Task((7,), NOISES[0], 10.0, "plain", 20, names))


def test_the_same_seed_gives_the_same_numbers(answer):
    again = run(answer.task)
    for scenario, ways in answer.when.items():
        for way, seconds in ways.items():
            np.testing.assert_array_equal(seconds, again.when[scenario][way])


def test_five_times_the_errors_are_found_and_nothing_else(answer):
    scores = table([answer])
    assert scores["binomial", 10.0, "errors 1→5 %", WAYS[0]].share == 1
    assert scores["binomial", 10.0, "nothing changes", WAYS[0]].share == 0
    assert scores["binomial", 10.0, "an improvement", WAYS[0]].share == 0


def test_every_way_judges_every_scenario(answer):
    assert {frozenset(ways) for ways in answer.when.values()} == {frozenset((*WAYS, *SMALLER))}


def test_a_smaller_budget_is_never_sooner(answer):
    found = answer.when["errors 1→5 %"]
    for sooner, later in itertools.pairwise((WAYS[0], *SMALLER)):
        assert (found[sooner] <= found[later]).all()
    assert np.nanmean(found["ours, budget .1 %"]) > np.nanmean(found[WAYS[0]])


def test_many_watches_at_once_are_judged_as_each_is_alone():
    """What the bench calls for all services gives exactly what a rule of one service gives."""
    rng, many = np.random.default_rng(11), 5
    history = observe(rng, 10.0, 0.01, Moves(errors=rng.uniform(0.5, 1.5, (many, 5760))), many, 5760)
    edges = ours.edges_of(history)
    picked = Stretch(
        history.requests, history.errors, np.take_along_axis(history.above, edges[..., None], axis=1), history.reach
    )
    starts = [observe(rng, 10.0, 0.01, Moves(), many, 20) for _ in range(5)]
    ready = ours.learned(ours.prepare(picked, np.ones(history.requests.shape), edges), starts)
    after = observe(rng, 10.0, 0.01, Moves(errors=np.full((1, WATCH), 2.5)), many, WATCH)
    together, _ = ours.evidence(ready, after)
    for row in range(many):

        def counts(stretch, row=row):
            return Counts(stretch.errors[row][None], stretch.requests[row][None], stretch.reach[row][None])

        known = calibrate_counts(
            CompareKind.ratio, counts(history), np.ones(5760, bool), interval=INTERVAL, watch_seconds=600,
            weight=0.25, signals=ours.SIGNALS, earlier=tuple(counts(start) for start in starts),
        )  # fmt: skip
        alone = judge_counts("errors", "errors", known, counts(after), weight=0.25)
        assert alone.course == tuple(together[row].tolist())


def test_a_missing_scrape_is_in_the_next_one():
    whole = Stretch(np.array([[5.0, 6, 7]]), np.array([[1.0, 2, 3]]), np.ones((1, len(EDGES), 3)), np.ones((1, 3)))
    seen = missing(whole, np.array([[0, 1, 0]]))
    assert seen.requests.tolist() == [[5, 0, 13]]
    assert seen.errors.tolist() == [[1, 0, 5]]
    assert seen.reach.tolist() == [[1, 0, 2]]
    assert seen.above[0, 0].tolist() == [1, 0, 2]


def test_p99_is_interpolated_as_prometheus_does():
    """2 % over 0.5 s, none over 1 s: half of the way from 0.5 to 1."""
    above = np.array([[[100.0], [80], [50], [10], [2], [0], [0]]])
    assert others.p99(above, np.array([[100.0]]))[0, 0] == pytest.approx(0.75)


def test_three_bad_scrapes_in_a_row():
    def stretch(errors):
        many = len(errors)
        return Stretch(
            np.full((1, many), 100.0), np.array([errors], float), np.zeros((1, len(EDGES), many)), np.ones((1, many))
        )

    after = [1] * WATCH
    after[4:7] = [9, 9, 9]
    assert others.in_a_row(stretch([1] * 120), stretch(after)).tolist() == [105]
    after[5] = 1
    assert np.isnan(others.in_a_row(stretch([1] * 120), stretch(after))).all()


def test_every_scenario_of_the_bench_can_be_drawn():
    rng = np.random.default_rng(1)
    for scenario in scenarios.EVERY:
        moves = scenario.moves(rng, 3)
        for part in (moves.errors, moves.latency, moves.tail, moves.traffic):
            assert np.broadcast_to(part, (3, WATCH)).min() >= 0
    assert len({scenario.name for scenario in scenarios.EVERY}) == len(scenarios.EVERY)


def test_the_upper_bound_is_clopper_and_pearson_s():
    assert Cell(500, 0, float("nan"), float("nan"), 0).upper == pytest.approx(1 - 0.05 ** (1 / 500))


REFERENCE = {
    "errors 1→5 %; binomial; 1/s": {"runs": 400, "tripped": 380, "median": 240},
    "nothing changes; binomial; 1/s": {"runs": 400, "tripped": 0},
}


def changed(name, **numbers):
    return {key: {**cell, **(numbers if key.startswith(name) else {})} for key, cell in REFERENCE.items()}


def test_the_same_numbers_pass():
    assert quick.complaints(REFERENCE, REFERENCE) == []


def test_a_tenth_fewer_found_fails():
    assert "83% found; the reference is 95%" in quick.complaints(changed("errors", tripped=332), REFERENCE)[0]


def test_slower_by_a_tenth_and_a_scrape_fails():
    assert "found in 300 s" in quick.complaints(changed("errors", median=300), REFERENCE)[0]


def test_false_rollbacks_over_the_budget_fail():
    assert len(quick.complaints(changed("nothing", tripped=20), REFERENCE)) == 2


def test_a_scenario_that_is_gone_fails():
    assert quick.complaints({}, {"x; y; 1/s": {"runs": 1, "tripped": 1, "median": 1}})[0].endswith("was not measured")


QUICK = Task((3,), NOISES[0], 10.0, "plain", 40, ("errors 1→5 %", "nothing changes"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Written by a run of the engine as it is."""
    path = tmp_path_factory.mktemp("bench") / "reference.json"
    assert compare([run(QUICK)], path, write=True, took=0) == 0
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("needed", "status", "said"),
    [
        (ours.NEEDED, 0, "2 cells as good as the reference"),
        (1e9, 1, "errors 1→5 %; binomial; 10/s: 0% found; the reference is 100%"),
        (-1e9, 1, "all good deploys: 40 of 40 rolled back; the budget is 1%"),
    ],
    ids=["as it is", "an engine that never trips", "an engine that always trips"],
)
def test_the_short_bench_fails_where_the_engine_got_worse(reference, monkeypatch, capsys, needed, status, said):
    monkeypatch.setattr(ours, "NEEDED", needed)
    assert compare([run(QUICK)], reference, write=False, took=0) == status
    assert said in capsys.readouterr().out


def test_the_reference_covers_what_the_short_bench_measures():
    known = json.loads((Path(quick.__file__).parent / quick.REFERENCE_FILE).read_text())
    assert {name.split("; ")[0] for name in known} == set(quick.QUICK_NAMES)


def test_a_plot_is_well_formed_and_names_its_ways():
    drawn = plot("errors 1→5 %", {"ours": [(0, 60, 1.0)], "A & B": [(12, 240, 0.5)]})
    assert drawn.count("<circle") == 4
    assert "A &amp; B" in drawn


@pytest.mark.parametrize(("share", "text"), [(0, "0"), (0.004, ".4"), (0.123, "12"), (0.999, "100")])
def test_percent(share, text):
    assert percent(share) == text


def test_the_interval_is_wilson_s():
    """Newcombe 1998, table I, method 3."""
    assert Cell(263, 81, 0, 0, 0).interval == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert Cell(148, 15, 0, 0, 0).interval == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert Cell(20, 0, 0, 0, 0).interval == pytest.approx((0, 0.1611), abs=1e-4)
