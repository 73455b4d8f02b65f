"""One level or growth rule of one watch: calibrated once, then judged from its samples so far."""

from __future__ import annotations

import numpy as np

from watchdog.judge.compare import gauges, growth, sentence
from watchdog.judge.compare.arrays import Array, plain
from watchdog.judge.compare.gauges import TOLERANCE, Level
from watchdog.judge.compare.pooling import BUDGET, needed
from watchdog.model import numbers
from watchdog.model.comparison import Finding, GrowthCalibration, LevelCalibration
from watchdog.model.measurement import Verdict

GAUGES = "gauges"


def calibrate_level(
    before: Array, *, interval: float, watch_seconds: float, higher_is_worse: bool, tolerance: float = TOLERANCE
) -> LevelCalibration:
    """`before`: the gauge up to the deploy, (scrapes,), NaN where nothing was sampled or incidents are cut out."""
    worse = 1.0 if higher_is_worse else -1.0
    watch = max(1, round(watch_seconds / gauges.BLOCK))
    level = gauges.level_of(gauges.blocks(before, interval), worse=worse, watch=watch, tolerance=tolerance)
    return LevelCalibration(
        median=float(level.median),
        scale=float(level.scale),
        bound=float(level.bound),
        phi=float(level.phi),
        placebos=level.placebos,
        worse=worse,
    )


def judge_level(
    rule: str,
    what: str,
    calibration: LevelCalibration,
    after: Array,
    *,
    interval: float,
    weight: float,
    yesterday: Array | None = None,
    others: tuple[tuple[LevelCalibration, Array], ...] = (),
    budget: float = BUDGET,
) -> Finding:
    """What the gauge since the deploy says. `yesterday`: its one-minute means at the same time a day before.

    `others` are further views of the same gauge with their own calibrations, such as CPU per request beside CPU; all
    must agree.
    """
    means = gauges.blocks(after, interval)
    views = {"": gauges.level_course(means, _level(calibration), calibration.worse)}
    for other, values in others:
        views["per unit of work"] = gauges.level_course(gauges.blocks(values, interval), _level(other), other.worse)
    if yesterday is not None:
        season = gauges.season_course(means, yesterday, _level(calibration), calibration.worse)
        views[f"against the same time yesterday{_mean(yesterday[~np.isnan(means)])}"] = season
    course = gauges.agreed(list(views.values()))
    seen = int((~np.isnan(means)).sum())
    now = float(course[-1]) if len(course) else 0.0
    mean = float(np.nanmean(means)) if seen else float("nan")
    words = f"{what}: no full minute of samples since the deploy"
    if seen:
        told = {name: float(view[-1]) > 0 for name, view in views.items() if name}
        words = sentence.of_level(what, calibration.median, mean, seen, now, calibration.worse, told)
    return Finding(
        rule=rule, group=GAUGES, verdict=_verdict(course, weight, budget, seen >= _TELLING_BLOCKS), ln_e=now,
        course=plain(course), weight=weight, phi=calibration.phi,
        phi_from=f"{calibration.placebos} pretend watches of the history", before=calibration.median,
        after=mean if seen else None, sentence=words,
    )  # fmt: skip


_TELLING_BLOCKS = 3


def _mean(values: Array) -> str:
    known = values[np.isfinite(values)]
    return f" ({numbers.plain(float(known.mean()))})" if len(known) else ""


def _level(calibration: LevelCalibration) -> Level:
    return Level(
        np.array(calibration.median),
        np.array(calibration.scale),
        np.array(calibration.bound),
        np.array(calibration.phi),
        calibration.placebos,
    )


def calibrate_growth(
    previous: Array | None, *, interval: float, limit: float | None, horizon_seconds: float = growth.HORIZON
) -> GrowthCalibration:
    """`previous`: the gauge of the version before, at the same age as this watch covers; None for a first deploy."""
    known = None if previous is None else growth.trend(np.arange(len(previous), dtype=float) * interval, previous)
    return GrowthCalibration(
        slope_before=None if known is None else known.slope, limit=limit, horizon_seconds=horizon_seconds
    )


def judge_growth(
    rule: str,
    what: str,
    calibration: GrowthCalibration,
    after: Array,
    *,
    interval: float,
    watch_seconds: float,
    weight: float,
    budget: float = BUDGET,
    look: growth.Look = growth.trend,
) -> Finding:
    """What the looks so far say: at 50, 75 and 100 % of the watch, each with a third of the weight.

    A look counts where the lower slope is over the previous version's, the curve does not flatten, and it reaches the
    limit within the horizon. Slower growth is told in the sentence; without a limit it never rolls back.
    """
    course, words = [], f"{what}: too few samples to see a trend"
    evidence, slope, level = 1.0, None, None
    for share in growth.LOOKS:
        scrapes = round(share * watch_seconds / interval)
        if len(after) < scrapes:
            break
        found = look(np.arange(scrapes, dtype=float) * interval, after[:scrapes])
        if found is None:
            continue
        ends = found.seconds_to(calibration.limit)
        counts = found.lower_slope > (calibration.slope_before or 0.0) and not found.flattening
        counts = counts and ends is not None and ends <= calibration.horizon_seconds
        evidence += (found.e - 1) / len(growth.LOOKS) if counts else 0.0
        course.append(float(np.log(max(evidence, 1e-12))))
        slope, level = found.slope, found.level
        words = sentence.of_growth(what, found.slope, calibration.slope_before, ends, found.level, calibration.limit)
    return Finding(
        rule=rule, group=GAUGES, verdict=_verdict(np.array(course), weight, budget, bool(course)),
        ln_e=course[-1] if course else 0.0, course=tuple(course), weight=weight, before=calibration.slope_before,
        after=slope, total_after=level, sentence=words,
    )  # fmt: skip


def _verdict(course: Array, weight: float, budget: float, enough: bool) -> Verdict:
    if len(course) and float(course.max()) >= needed(budget) - float(np.log(weight)):
        return Verdict.failed
    return Verdict.passed if enough else Verdict.inconclusive
