"""`test-rules` for `compare` rules: counters or a gauge as scraped before the deploy and after it.

Judged by what judges real deploys; each sample after the deploy is one look.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

from watchdog.errors import BadConfig
from watchdog.judge.notation import NO_DATA, read_series
from watchdog.model.comparison import CompareKind
from watchdog.model.measurement import Observation
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series

Written = str | Mapping[str, str]
"""One series, or several by key: `events` and `total`, or a histogram's edges."""

INSTANCE = {"instance": "rehearsal"}


def observations(
    rule: str,
    what: str,
    measure: CompareMeasure,
    baseline: Written,
    values: Written,
    interval: timedelta,
    bake_time: timedelta,
) -> tuple[Observation, ...]:
    """What the rule finds at the deploy and after each sample of `values`. Raises BadConfig for what can't be read."""
    from watchdog.judge.compare.rule import Setting, calibrate_rule, judge_rule, no_data  # noqa: PLC0415 -- numpy

    step = interval.total_seconds()
    before, after = _samples(measure, baseline), _samples(measure, values)
    length = max(len(s) for s in before.values())
    looks = max(len(s) for s in after.values())
    setting = Setting(interval=step, watch_seconds=bake_time.total_seconds(), what=what)
    calibration = calibrate_rule(
        measure,
        {key: _series(key, written, -(length - 1) * step, step) for key, written in _keyed(measure, before)},
        0.0,
        setting,
        seconds=length * step,
    )
    if calibration is None:
        finding = no_data(rule, measure, setting, "the baseline is too short, or has too few requests, to compare with")
        return (NO_DATA, *[Observation(query="", finding=finding)] * (looks - 1))
    scraped = {key: _series(key, written, 0.0, step) for key, written in _keyed(measure, after)}
    found = []
    for look in range(1, looks):
        seen = {key: [s.within(-1.0, look * step) for s in series] for key, series in scraped.items()}
        finding = judge_rule(rule, measure, calibration, seen, 0.0, look * step, setting)
        found.append(Observation(query="", finding=finding.model_copy(update={"course": ()})))
    return (NO_DATA, *found)


def _samples(measure: CompareMeasure, written: Written) -> dict[str, list[float]]:
    """Each written series' numbers, by its key. Raises BadConfig."""
    keys = {CompareKind.ratio: ("events", "total")}.get(measure.signal)
    if measure.signal in (CompareKind.level, CompareKind.growth):
        named = {"query", *(key for key in ("limit", "per") if getattr(measure, key))}
        written = {"query": written} if isinstance(written, str) else written
        if not set(written) <= named or "query" not in written:
            more = f"; or a mapping with {' and '.join(sorted(named))}" if len(named) > 1 else ""
            one = "write baseline: 0.2x40 and values: 0.4x40"
            raise BadConfig(f"{measure.signal.value} has one series: {one}{more}")
    if isinstance(written, str):
        expected = "events and total" if keys else 'the bucket edges, such as "0.1" and "+Inf"'
        raise BadConfig(f"{measure.signal.value} has several series: write a mapping with {expected}")
    if keys and set(written) != set(keys):
        raise BadConfig(f"a ratio has the keys events and total, not {', '.join(written) or 'none'}")
    if measure.signal is CompareKind.latency and "+Inf" not in written:
        raise BadConfig('latency needs the bucket "+Inf": all requests')
    return {key: [_number(o) for o in read_series(text)] for key, text in written.items()}


def _number(observation: Observation) -> float:
    if len(observation.samples) > 1:
        raise BadConfig("a compared series has one number at a time")
    return observation.samples[0].value if observation.samples else math.nan


def _keyed(measure: CompareMeasure, samples: Mapping[str, list[float]]) -> list[tuple[str, dict[str, list[float]]]]:
    """By the measure's own key: all edges of a histogram are its `buckets`."""
    if measure.signal is CompareKind.latency:
        return [("buckets", dict(samples))]
    return [(key, {key: numbers}) for key, numbers in samples.items()]


def _series(key: str, written: Mapping[str, list[float]], start: float, step: float) -> list[Series]:
    labels = {name: INSTANCE | ({"le": name} if key == "buckets" else {}) for name in written}
    return [
        Series.of(labels[name], ((start + n * step, v) for n, v in enumerate(numbers) if not math.isnan(v)))
        for name, numbers in written.items()
    ]
