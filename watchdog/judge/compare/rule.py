"""One `compare` rule over raw series: which are whose, what was before the deploy and after it, and what they say.

Pure. The engine, `backtest` and `test-rules` judge by these two functions alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isinf

import numpy as np
from scipy.special import gammainc

from watchdog.judge.compare import growth, levels
from watchdog.judge.compare.arrays import Array, Flags
from watchdog.judge.compare.baseline import usable
from watchdog.judge.compare.counting import calibrate_counts, edges_for, judge_counts
from watchdog.judge.compare.counts import counted
from watchdog.judge.compare.gates import Counts
from watchdog.judge.compare.gauging import calibrate_growth, judge_growth
from watchdog.judge.compare.growth import Looked, Trends
from watchdog.judge.compare.instances import Samples, edge_of, pods_of
from watchdog.judge.compare.levels import FEWEST_SECONDS
from watchdog.judge.compare.pooling import BUDGET
from watchdog.model.comparison import (
    Calibration,
    CompareKind,
    CountCalibration,
    Finding,
    GrowthCalibration,
    LevelCalibration,
)
from watchdog.model.measurement import Verdict
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series

FEWEST_REQUESTS = 30.0
START_LOOKED_AT = 300.0
"""Seconds of earlier good deploys from which the usual start is learnt."""

UNLIKELY = 0.05
"""After a rollback, an excess over p* that chance alone makes less often than this means that it did not help."""


@dataclass(frozen=True)
class Setting:
    """What a rule is judged by besides its samples. `interval` is the time between two samples, in seconds."""

    interval: float
    watch_seconds: float
    longest: float = 0.0
    """Seconds after the deploy at which any watch is over; at least `watch_seconds`."""
    weight: float = 1.0
    """Its share of the budget: `pooling.signal_weights`."""
    signals: int = 1
    budget: float = BUDGET
    what: str = ""
    """What is counted, in the sentence: `errors`."""
    is_new: Callable[[Mapping[str, str]], bool] | None = None
    """Whether a series is the new version's; the others ran beside it. None: all are."""


def group_of(measure: CompareMeasure) -> str:
    """The group whose share of the budget it has."""
    kinds = {CompareKind.ratio: "errors", CompareKind.latency: "latency"}
    return kinds.get(measure.signal, "gauges")


def calibrate_rule(
    measure: CompareMeasure,
    before: Samples,
    at: float,
    setting: Setting,
    *,
    seconds: float,
    cut: Sequence[tuple[float, float]] = (),
    earlier: Sequence[tuple[float, Samples]] = (),
) -> Calibration | None:
    """How the rule is judged in the watch of a deploy at `at` (unix seconds); None: there is nothing to compare with,
    or the watch is too short for a trend.

    `before` covers `seconds` up to `at`. `cut`: stretches of incidents and earlier watches. `earlier`: the beginnings
    of earlier good deploys, each with the samples of its first START_LOOKED_AT seconds.
    """
    scrapes = max(1, int(seconds / setting.interval))
    origin = at - scrapes * setting.interval
    times: Array = origin + (np.arange(scrapes, dtype=np.float64) + 1) * setting.interval
    kept = usable(times, cut)
    if measure.signal is CompareKind.growth:
        limits = [v for s in before.get("limit", ()) for v in s.values if v > 0]
        previous = _grid(before.get("query", ()), origin, setting.interval, scrapes)
        watch = max(1, round(setting.watch_seconds / setting.interval))
        if watch < growth.FEWEST:  # it would stay inconclusive to the end, and hold every deploy
            return None
        known = previous[-watch:] if np.isfinite(previous[-watch:]).sum() >= watch / 2 else None
        return calibrate_growth(
            known,
            interval=setting.interval,
            limit=min(limits, default=None),
            horizon_seconds=measure.horizon.total_seconds(),
        )
    if measure.signal is CompareKind.level:
        gauge, work = (_grid(before.get(key, ()), origin, setting.interval, scrapes) for key in ("query", "per"))
        return levels.calibrated(
            gauge,
            work,
            at,
            kept,
            interval=setting.interval,
            watch_seconds=setting.watch_seconds,
            longest=max(setting.longest, setting.watch_seconds),
            higher_is_worse=measure.worse == "higher",
            cut=cut,
        )
    edges = _tested_edges(measure, before, origin, setting.interval, scrapes, kept)
    counts = counted(pods_of(measure, before, edges), origin, setting.interval, scrapes)
    seen = kept & (counts.reach[0] > 0)
    if seen.sum() * setting.interval < FEWEST_SECONDS or counts.total[0][kept].sum() < FEWEST_REQUESTS:
        return None
    return calibrate_counts(
        measure.signal,
        counts,
        kept,
        interval=setting.interval,
        watch_seconds=setting.watch_seconds,
        weight=setting.weight,
        signals=setting.signals,
        budget=setting.budget,
        edges=edges,
        earlier=tuple(_start(measure, samples, began, edges, setting.interval) for began, samples in earlier),
    )


def judge_rule(
    rule: str,
    measure: CompareMeasure,
    calibration: Calibration,
    after: Samples,
    began: float,
    now: float,
    setting: Setting,
) -> Finding:
    """What the samples since `began` (unix seconds, when the new version serves) say at `now`."""
    interval, what = setting.interval, setting.what or rule
    scrapes = scrapes_of(began, now, interval)
    if isinstance(calibration, CountCalibration):
        edges, (new, old) = edges_of(calibration), split(after, setting)
        beside = counted(pods_of(measure, old, edges), began, interval, scrapes) if any(old.values()) else None
        counts = counted(pods_of(measure, new, edges), began, interval, scrapes)
        return judge_counts(rule, what, calibration, counts, weight=setting.weight, beside=beside)
    if isinstance(calibration, LevelCalibration):
        gauge, work = (_grid(after.get(key, ()), began, interval, scrapes) for key in ("query", "per"))
        return levels.judged(
            rule, what, calibration, gauge, work, began,
            interval=interval, weight=setting.weight, budget=setting.budget,
        )  # fmt: skip
    return judge_grown(rule, measure, calibration, after, began, now, setting, {})[0]


def scrapes_of(began: float, now: float, interval: float) -> int:
    """How many scrapes there may have been, the one under way too."""
    return max(1, ceil((now - began) / interval - 1e-6))


def split(samples: Samples, setting: Setting) -> tuple[Samples, Samples]:
    """(of the new version, of the old one that runs beside it)."""
    if setting.is_new is None:
        return samples, {}
    new: dict[str, list[Series]] = {name: [] for name in samples}
    old: dict[str, list[Series]] = {name: [] for name in samples}
    for name, found in samples.items():
        for series in found:
            (new if setting.is_new(series.labels) else old)[name].append(series)
    return new, old


def edges_of(calibration: CountCalibration) -> tuple[float, ...]:
    """The bucket edges that are tested; none for a ratio."""
    return tuple(t.edge for t in calibration.tracks if t.edge is not None)


def judge_grown(
    rule: str,
    measure: CompareMeasure,
    calibration: GrowthCalibration,
    after: Samples,
    began: float,
    now: float,
    setting: Setting,
    known: Trends,
) -> tuple[Finding, Trends]:
    """What the series that grew most says, and all trends that were looked at; `known`: those of an earlier look."""
    what, trends, scrapes = setting.what or rule, Looked(known), scrapes_of(began, now, setting.interval)
    calibration = _with_limit(calibration, after)
    found = [
        judge_growth(
            rule,
            what,
            calibration,
            _grid([series], began, setting.interval, scrapes),
            interval=setting.interval,
            watch_seconds=setting.watch_seconds,
            weight=setting.weight,
            budget=setting.budget,
            look=trends.trend,
        )
        for series in after.get("query", ())
    ]
    if not found:
        return no_data(rule, measure, setting, f"{what}: no samples since the deploy"), {}
    return max(found, key=lambda finding: finding.ln_e), trends.seen


def no_data(rule: str, measure: CompareMeasure, setting: Setting, why: str) -> Finding:
    """A finding that has found nothing: no samples, or nothing to compare them with."""
    return Finding(
        rule=rule,
        group=group_of(measure),
        verdict=Verdict.inconclusive,
        ln_e=0.0,
        course=(),
        weight=setting.weight,
        sentence=why,
    )


def healed(calibration: Calibration, finding: Finding) -> Verdict:
    """After a rollback: whether what is measured now is what it was before the deploy."""
    if finding.after is None or not (
        finding.total_after or isinstance(calibration, LevelCalibration | GrowthCalibration)
    ):
        return Verdict.inconclusive
    if isinstance(calibration, CountCalibration):
        return _back_to_usual(finding)
    return Verdict.failed if finding.verdict is Verdict.failed else Verdict.passed


def _back_to_usual(finding: Finding) -> Verdict:
    """Whether a rate is at most p*. Over it by no more than chance does: nobody can say yet."""
    star, phi = finding.p_star or 0.0, finding.phi or 1.0
    events, total = finding.events_after or 0.0, finding.total_after or 0.0
    if events <= star * total:
        return Verdict.passed
    chance = float(gammainc(events / phi, star * total / phi)) if star > 0 else 0.0  # Poisson: so many, or more
    return Verdict.failed if chance < UNLIKELY else Verdict.inconclusive


def interval_of(samples: Samples, fallback: float) -> float:
    """The usual time between two samples of one series, in seconds."""
    gaps = [np.diff(np.frombuffer(s.at)) for found in samples.values() for s in found if len(s) > 2]
    return float(np.median(np.concatenate(gaps))) if gaps else fallback


def _with_limit(calibration: GrowthCalibration, after: Samples) -> GrowthCalibration:
    """The limit that the new version has now, where one is known."""
    limits = [s.values[-1] for s in after.get("limit", ()) if len(s) and s.values[-1] > 0]
    return calibration.model_copy(update={"limit": min(limits)}) if limits else calibration


def _start(
    measure: CompareMeasure, samples: Samples, began: float, edges: tuple[float, ...], interval: float
) -> Counts:
    return counted(pods_of(measure, samples, edges), began, interval, round(START_LOOKED_AT / interval))


def _tested_edges(
    measure: CompareMeasure, before: Samples, origin: float, interval: float, scrapes: int, kept: Flags
) -> tuple[float, ...]:
    """The bucket edges whose share above is nearest the ones worth testing; none for a ratio."""
    if measure.signal is not CompareKind.latency:
        return ()
    known = sorted({e for s in before.get("buckets", ()) if not isinf(e := edge_of(s.labels.get("le", "+Inf")))})
    if not known:
        return ()
    counts = counted(pods_of(measure, before, tuple(known)), origin, interval, scrapes)
    return tuple(known[n] for n in edges_for(np.where(kept, counts.events, 0.0), np.where(kept, counts.total[0], 0.0)))


def _grid(series: Sequence[Series], origin: float, interval: float, scrapes: int) -> Array:
    """The mean of the series in each slot; NaN where none has a sample."""
    total, seen = np.zeros(scrapes), np.zeros(scrapes)
    for each in series:
        at, values = np.frombuffer(each.at), np.frombuffer(each.values)
        slots = np.ceil((at - origin) / interval - 0.5).astype(int) - 1
        good = (slots >= 0) & (slots < scrapes) & np.isfinite(values)
        np.add.at(total, slots[good], values[good])
        np.add.at(seen, slots[good], 1.0)
    return np.where(seen > 0, total / np.maximum(seen, 1.0), np.nan)
