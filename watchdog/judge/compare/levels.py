"""A level rule: the gauge itself, and the views that must agree with it before it speaks.

The views are the gauge per unit of work (`per`), and the same time yesterday. One that is not known is not used: then
fewer must agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from watchdog.judge.compare import gauges
from watchdog.judge.compare.arrays import Array, Flags
from watchdog.judge.compare.gauging import calibrate_level, judge_level
from watchdog.model.comparison import Finding, LevelCalibration

FEWEST_SECONDS = 300.0
"""A shorter history says nothing of how a service usually is."""
DAY = 86400.0
WHOLE = 0.8
"""Of yesterday's minutes this share must be known, of those per unit of work too: else the view is not used."""


def calibrated(
    before: Array,
    work: Array,
    at: float,
    kept: Flags,
    *,
    interval: float,
    watch_seconds: float,
    longest: float,
    higher_is_worse: bool,
    cut: Sequence[tuple[float, float]],
) -> LevelCalibration | None:
    """From the gauge and the work up to the deploy at `at` (unix seconds), (scrapes,) each, NaN where nothing was
    sampled; None: there are too few samples. `kept`: where was no incident or watch.

    `longest`: seconds after the deploy at which any watch is over.
    """
    origin = at - len(kept) * interval
    gauge = np.where(kept, before, np.nan)
    if not _enough(gauge, interval):
        return None

    def level(values: Array) -> LevelCalibration:
        return calibrate_level(values, interval=interval, watch_seconds=watch_seconds, higher_is_worse=higher_is_worse)

    each = _each(gauge, work)
    first = max(0, round((at - DAY - origin) / interval))
    yesterday = at - DAY >= origin - interval and not any(b < at - DAY + longest and at - DAY < e for b, e in cut)
    return level(gauge).model_copy(
        update={
            "per": level(each) if _enough(each, interval) else None,
            "yesterday": _minutes(before[first : first + round(longest / interval)], interval) if yesterday else (),
            "yesterday_from": origin + first * interval,
        }
    )


def judged(
    rule: str,
    what: str,
    calibration: LevelCalibration,
    after: Array,
    work: Array,
    began: float,
    *,
    interval: float,
    weight: float,
    budget: float,
) -> Finding:
    """What the gauge and the work since `began` (unix seconds) say, (scrapes,) each."""
    minutes = gauges.blocks(after, interval)
    others = []
    if calibration.per is not None:
        each = _each(after, work)
        if _covers(gauges.blocks(each, interval), minutes):
            others.append((calibration.per, each))
    return judge_level(
        rule,
        what,
        calibration,
        after,
        interval=interval,
        weight=weight,
        budget=budget,
        yesterday=_same_time(calibration, began, minutes),
        others=tuple(others),
    )


def _each(gauge: Array, work: Array) -> Array:
    """The gauge per unit of work; NaN where there was none."""
    busy = np.where(work > 0, work, np.nan)
    return gauge / busy


def _enough(values: Array, interval: float) -> bool:
    return bool(np.isfinite(values).sum() * interval >= FEWEST_SECONDS)


def _minutes(values: Array, interval: float) -> tuple[float | None, ...]:
    """Block means that can be stored, six digits each; empty where too much is missing."""
    means = gauges.blocks(values, interval)
    if not len(means) or np.isfinite(means).mean() < WHOLE:
        return ()
    return tuple(float(f"{x:.6g}") if np.isfinite(x) else None for x in means)


def _same_time(calibration: LevelCalibration, began: float, minutes: Array) -> Array | None:
    """Yesterday's minutes beside those since `began`; None where it is not known how they were."""
    first = round((began - DAY - calibration.yesterday_from) / gauges.BLOCK)
    if not calibration.yesterday or first < 0:
        return None
    known = np.array([np.nan if x is None else x for x in calibration.yesterday])[first : first + len(minutes)]
    beside = np.full(len(minutes), np.nan)
    beside[: len(known)] = known
    return beside if _covers(beside, minutes) else None


def _covers(view: Array, minutes: Array) -> bool:
    """Whether the view knows enough of the minutes that the gauge knows."""
    seen = np.isfinite(minutes)
    return bool(np.isfinite(view[seen]).sum() >= WHOLE * seen.sum())
