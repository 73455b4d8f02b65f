"""A level over raw series: the views that must agree, and what is done where one is not known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pydantic import TypeAdapter

from watchdog.judge.compare.rule import Setting, calibrate_rule, judge_rule
from watchdog.model.comparison import Calibration, Finding, LevelCalibration
from watchdog.model.measurement import Verdict
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series

CPU = CompareMeasure.model_validate({"signal": "level", "query": "cpu", "per": "requests"})
SETTING = Setting(interval=15.0, watch_seconds=600.0, longest=1800.0, what="cpu")
DAY, DEPLOYED, SETTLED = 86400.0, 1_000_000.0, 1_000_030.0

Curve = Callable[[np.ndarray], np.ndarray]


def sampled(curve: Curve, start: float, end: float, seed: int = 1) -> list[Series]:
    at = np.arange(start + 15, end + 1, 15)
    noise = np.exp(0.03 * np.random.default_rng(seed).standard_normal(len(at)))
    return [Series.of({"job": "api"}, zip(at, curve(at) * noise, strict=True))]


def calibrated(
    cpu: Curve, work: Curve | None = None, cut: tuple[tuple[float, float], ...] = (), seconds: float = DAY
) -> LevelCalibration:
    before = {"query": sampled(cpu, DEPLOYED - seconds, DEPLOYED)}
    if work is not None:
        before["per"] = sampled(work, DEPLOYED - seconds, DEPLOYED, seed=2)
    known = calibrate_rule(CPU, before, DEPLOYED, SETTING, seconds=DAY, cut=cut)
    assert isinstance(known, LevelCalibration)
    return known


def judged(known: LevelCalibration, cpu: Curve, work: Curve | None = None, began: float = SETTLED) -> Finding:
    after = {"query": sampled(cpu, began, began + 600, seed=3)}
    if work is not None:
        after["per"] = sampled(work, began, began + 600, seed=4)
    return judge_rule("cpu-vs-before", CPU, known, after, began, began + 600, SETTING)


def flat(value: float) -> Curve:
    return lambda at: np.full(len(at), value)


def rush(each_day: float) -> Curve:
    """0.2, and so many times as much in the hour after each deploy's time of day."""
    return lambda at: np.where((at - DEPLOYED) % DAY < 3600, 0.2 * each_day, 0.2)


def test_three_times_the_traffic_is_no_regression() -> None:
    found = judged(calibrated(flat(0.2), flat(40)), flat(0.6), flat(120))
    assert found.verdict is Verdict.passed
    assert "but not per unit of work" in found.sentence


def test_more_for_each_request_is() -> None:
    found = judged(calibrated(flat(0.2), flat(40)), flat(0.6), flat(60))
    assert found.verdict is Verdict.failed
    assert "and per unit of work" in found.sentence


@pytest.mark.parametrize("work", [None, flat(0.0)])
def test_where_no_work_is_known_the_gauge_alone_counts(work: Curve | None) -> None:
    known = calibrated(flat(0.2), work)
    assert known.per is None
    assert judged(known, flat(0.6), flat(120)).verdict is Verdict.failed
    assert judged(calibrated(flat(0.2), flat(40)), flat(0.6), work).verdict is Verdict.failed


def test_what_is_so_each_day_is_no_regression() -> None:
    known = calibrated(rush(2.5))
    assert len(known.yesterday) == 30
    assert known.yesterday_from == DEPLOYED - DAY
    found = judged(known, rush(2.5))
    assert found.verdict is Verdict.passed
    assert "but not against the same time yesterday (0.5)" in found.sentence


def test_more_than_yesterday_is() -> None:
    known = calibrated(flat(0.2))
    found = judged(known, flat(0.45))
    assert found.verdict is Verdict.failed
    assert "and against the same time yesterday (0.2" in found.sentence


def test_yesterday_is_looked_at_where_the_watch_is_now() -> None:
    """It settled ten minutes after it was seen: the same minutes yesterday are ten later too."""

    def late(at: np.ndarray) -> np.ndarray:
        into = (at - DEPLOYED) % DAY
        return np.where((into > 600) & (into < 1300), 0.5, 0.2)

    assert judged(calibrated(late), flat(0.5), began=DEPLOYED + 600).verdict is Verdict.passed
    assert judged(calibrated(late), flat(0.5)).verdict is Verdict.failed


@pytest.mark.parametrize(
    ("cut", "seconds"),
    [
        ((DEPLOYED - DAY - 300, DEPLOYED - DAY + 60), DAY),
        ((DEPLOYED - DAY + 1700, DEPLOYED - DAY + 2400), DAY),
        ((0.0, 1.0), DAY - 1200),
        ((0.0, 1.0), 7200.0),
    ],
    ids=["a watch then", "an incident in its last minutes", "a third of it is missing", "no such history"],
)
def test_a_yesterday_that_says_little_is_not_used(cut: tuple[float, float], seconds: float) -> None:
    known = calibrated(rush(2.5), cut=(cut,), seconds=seconds)
    assert known.yesterday == ()
    assert judged(known, rush(2.5)).verdict is Verdict.failed


def test_a_watch_longer_than_what_is_known_of_yesterday() -> None:
    known = calibrated(flat(0.2))
    assert judged(known, flat(0.5), began=DEPLOYED + 1500).verdict is Verdict.failed


def test_it_is_stored_as_it_is() -> None:
    known: Calibration = calibrated(rush(2.5), flat(40)).model_copy(update={"yesterday": (0.5, None, 0.25)})
    stored = TypeAdapter(Calibration)
    assert stored.validate_json(stored.dump_json(known)) == known
    assert len(calibrated(rush(2.5), flat(40)).model_dump_json()) < 2000


def test_what_an_earlier_release_stored_is_read() -> None:
    text = '{"median": 0.2, "scale": 0.01, "bound": 5.0, "phi": 1.0, "placebos": 95, "worse": 1.0}'
    known = TypeAdapter[Calibration](Calibration).validate_json(text)
    assert isinstance(known, LevelCalibration)
    assert (known.per, known.yesterday) == (None, ())
    assert judged(known, flat(0.6)).verdict is Verdict.failed
