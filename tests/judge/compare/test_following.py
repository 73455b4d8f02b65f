"""A rule followed look after look finds what it finds from all samples at once: the law that lets looks be cheap."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchdog.judge.compare.following import Carried, follow_rule, joined, newest_of
from watchdog.judge.compare.rule import Setting, calibrate_rule, judge_rule
from watchdog.model.comparison import Calibration, CountCalibration, Finding, LevelCalibration
from watchdog.model.measurement import Verdict
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series

STEP, LATE = 15.0, 120.0
"""Seconds between two scrapes; how late a sample may come in."""
BEGAN = 1_000_000.0
MEASURES = {
    "ratio": CompareMeasure(signal="ratio", events="errors", total="requests"),
    "latency": CompareMeasure(signal="latency", buckets="buckets"),
    "level": CompareMeasure(signal="level", query="cpu"),
    "per": CompareMeasure(signal="level", query="cpu", per="work"),
    "growth": CompareMeasure(signal="growth", query="memory", limit="limit"),
}
Rows = list[tuple[float, float, float]]
"""(when it was scraped, its value, when the source had it)."""
World = dict[str, list[tuple[dict[str, str], Rows]]]


def counter(rng: random.Random, times: list[tuple[float, float]], per_scrape: float, restarts: set[int]) -> Rows:
    """A counter that now and then begins anew, and has a NaN once in a while."""
    value, rows = float(rng.randrange(1000)), []
    for number, (at, arrived) in enumerate(times):
        value = float(rng.randrange(3)) if number in restarts else value + round(rng.expovariate(1 / per_scrape))
        rows.append((at, float("nan") if rng.random() < 0.01 else value, arrived))
    return rows


def world(seed: int, kind: str, scrapes: int, begin: float = BEGAN) -> World:
    """Up to four pods that come and go, are scraped at their own times, miss scrapes, and whose samples come late."""
    rng = random.Random(seed)
    out: World = {name: [] for name in ({**MEASURES[kind].selectors} or dict.fromkeys(("query", "limit", "per"), ""))}
    worse = rng.choice([1, 1, 1.5, 4, 20])
    for pod in range(rng.randint(1, 4)):
        born, dead = sorted(rng.choice([0, scrapes, rng.randrange(-2, scrapes)]) for _ in range(2))
        offset, missing = rng.uniform(-7, 7), rng.choice([0, 0, 0.1, 0.5])
        numbers = [n for n in range(-2 if born == 0 else born, dead) if rng.random() >= missing]
        moments = [begin + n * STEP + offset for n in numbers]
        times = [(at, at + rng.choice([0, 0, 0, rng.uniform(0, LATE)])) for at in moments]
        restarts = {n for n in range(len(times)) if rng.random() < 0.03}
        labels = {"pod": f"p{pod}", "instance": f"10.0.0.{pod}"}
        if kind == "ratio":
            out["total"].append((labels, counter(rng, times, 40, restarts)))
            for code in ("500", "503"):
                first = rng.choice([0, rng.randrange(len(times) + 1)])  # the first error makes the series
                out["events"].append(({**labels, "code": code}, counter(rng, times, worse, restarts)[first:]))
        elif kind == "latency":
            slow, middle = counter(rng, times, 5 * worse, restarts), counter(rng, times, 30, restarts)
            for edge, parts in (("0.1", [middle]), ("+Inf", [middle, slow])):
                sums = [
                    (rows[0][0], sum(value for _, value, _ in rows), rows[0][2]) for rows in zip(*parts, strict=True)
                ]
                out["buckets"].append(({**labels, "le": edge}, sums))
        else:
            climbs = rng.choice([0, 0, 1e3])
            out["query"].append(
                (labels, [(at, 1e6 + climbs * n + rng.gauss(0, 9e3), late) for n, (at, late) in enumerate(times)])
            )
            out["limit"].append((labels, [(at, 1.4e6, at) for at, _ in times]))
            busy = rng.choice([1, 1, 3])
            out["per"].append(
                (labels, [(at, 40 * busy + rng.gauss(0, 1), late) for at, late in times if rng.random() >= missing])
            )
    return out


def known(at: float, everything: World, since: float = 0.0) -> Mapping[str, list[Series]]:
    """What the source answers at this moment of what was scraped after `since`; a limit is as it is now."""
    found = {}
    for name, series in everything.items():
        begin = since if name != "limit" else at - 2 * STEP
        rows = ((labels, [(t, v) for t, v, late in many if begin < t <= at and late <= at]) for labels, many in series)
        found[name] = [Series.of(labels, samples) for labels, samples in rows if samples]
    return found


def calibration(kind: str) -> Calibration:
    """From two steady hours before; of a level, a day and a bit."""
    rng = random.Random(1)
    scrapes = 5800 if kind in ("level", "per") else 480
    times = [(BEGAN - n * STEP, 0.0) for n in range(scrapes, 0, -1)]
    pod = {"pod": "p0", "instance": "10.0.0.0"}
    before: dict[str, list[Series]] = {}
    if kind == "ratio":
        series = {"total": counter(rng, times, 40, set()), "events": counter(rng, times, 1, set())}
        before = {name: [Series.of(pod, [row[:2] for row in rows])] for name, rows in series.items()}
    elif kind == "latency":
        fast, slow = counter(rng, times, 30, set()), counter(rng, times, 5, set())
        whole = [(at, value + more) for (at, value, _), (_, more, _) in zip(fast, slow, strict=True)]
        buckets = (("0.1", [row[:2] for row in fast]), ("+Inf", whole))
        before = {"buckets": [Series.of({**pod, "le": edge}, rows) for edge, rows in buckets]}
    else:
        before = {"query": [Series.of(pod, [(at, 1e6 + rng.gauss(0, 1e4)) for at, _ in times])]}
    if kind == "per":
        before["per"] = [Series.of(pod, [(at, 40 + rng.gauss(0, 1)) for at, _ in times])]
    found = calibrate_rule(MEASURES[kind], before, BEGAN, setting(60), seconds=scrapes * STEP)
    assert found is not None
    if isinstance(found, LevelCalibration):
        assert found.yesterday
        assert (found.per is not None) is (kind == "per")
    return found


def setting(scrapes: int, **changes: object) -> Setting:
    return Setting(interval=STEP, watch_seconds=scrapes * STEP, weight=0.25, signals=4, what="errors", **changes)


CALIBRATED = {kind: calibration(kind) for kind in MEASURES}


def looks(
    rng: random.Random, kind: str, everything: World, given: Setting, scrapes: int
) -> Iterator[tuple[Finding, Finding]]:
    """(what following finds, what all samples find) at moments that are as uneven as looks are."""
    carried: Carried | None = None
    now, until = BEGAN + rng.uniform(1, 40), BEGAN - 2 * STEP
    while now <= BEGAN + scrapes * STEP:
        until = max(until, now - LATE)
        recent = known(now, everything, carried.until if carried else BEGAN - 2 * STEP)
        whole = known(now, everything, BEGAN - 2 * STEP)
        if not isinstance(CALIBRATED[kind], CountCalibration):
            recent, whole = joined(carried, recent), joined(None, whole)
        question = ("r", MEASURES[kind], CALIBRATED[kind])
        newest = newest_of(recent, carried)
        assert newest == newest_of(whole, None)
        found, carried = follow_rule(*question, recent, BEGAN, now, given, carried, until, newest)
        yield found, judge_rule(*question, whole, BEGAN, now, given)
        now += rng.choice([5.0, 5.0, 15.0, 47.0, 200.0])


def assert_same(one: Finding, other: Finding) -> None:
    numbers = {"ln_e", "course", "after"}
    assert one.model_dump(exclude=numbers) == other.model_dump(exclude=numbers)
    assert one.ln_e == pytest.approx(other.ln_e, abs=1e-9)
    assert one.after == pytest.approx(other.after, abs=1e-9, nan_ok=True)
    assert one.course == pytest.approx(other.course, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MEASURES)
@settings(max_examples=60)
@given(seed=st.integers(0, 1_000_000), scrapes=st.sampled_from([3, 20, 60]))
def test_following_finds_what_all_samples_find(kind: str, seed: int, scrapes: int):
    everything = world(seed, kind, scrapes)
    for followed, whole in looks(random.Random(seed), kind, everything, setting(scrapes), scrapes):
        assert_same(followed, whole)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ratio", "latency"])
@settings(max_examples=40)
@given(seed=st.integers(0, 1_000_000))
def test_so_it_does_beside_old_pods(kind: str, seed: int):
    old = {"p0", "p3"}
    beside = setting(40, is_new=lambda labels: labels["pod"] not in old)
    everything = world(seed, kind, 40)
    for followed, whole in looks(random.Random(seed), kind, everything, beside, 40):
        assert_same(followed, whole)


@pytest.mark.slow
def test_these_worlds_have_good_deploys_and_bad_ones():
    for kind in ("ratio", "latency"):
        found = (
            pair
            for seed in range(15)
            for pair in looks(random.Random(seed), kind, world(seed, kind, 60), setting(60), 60)
        )
        assert {followed.verdict for followed, _ in found} >= {Verdict.passed, Verdict.failed}
