"""One `compare` rule look after look: what an earlier look made of the samples is carried to the next.

Pure, and only memory: a look that is given nothing to carry on from, and all samples since the deploy, finds the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from watchdog.judge.compare.counting import Seen, finding_of, seen_of
from watchdog.judge.compare.growth import Trends
from watchdog.judge.compare.instances import Samples, members_of
from watchdog.judge.compare.rule import Setting, edges_of, judge_grown, judge_rule, scrapes_of, split
from watchdog.judge.compare.tally import Shape, Tally, key_of, tallied
from watchdog.model.comparison import Calibration, CompareKind, CountCalibration, Finding, GrowthCalibration
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series


@dataclass(frozen=True)
class Carried:
    """What the samples up to `until` (unix seconds) came to: counters as tallies, gauges as they are."""

    until: float
    newest: float | None = None
    """When the newest sample of all counters is from; one after `until` too."""
    new: Tally | None = None
    old: Tally | None = None
    """Of the old version's pods, where some ran beside the new ones."""
    seen: Seen | None = None
    """What the look before saw of a ratio or latency: of the scrapes in which nothing came in since it is not judged
    again."""
    gauges: Samples = field(default_factory=dict)
    trends: Trends = field(default_factory=dict)

    @property
    def size(self) -> int:
        """About how many bytes of memory it holds."""
        tallies = [tally for tally in (self.new, self.old) if tally is not None]
        keys = [key for t in tallies for instance in t.instances.values() for _, key in instance.values]
        gauges = [series for found in self.gauges.values() for series in found]
        labels = [text for series in gauges for text in series.labels.values()]
        return (
            sum(tally.counts.nbytes for tally in tallies)
            + (self.seen.nbytes if self.seen else 0)
            + sum(_COUNTER + len(key) for key in keys)
            + sum(_GAUGE + 16 * len(series) for series in gauges)
            + sum(_TEXT + len(text) for text in labels)
            + _TREND * len(self.trends)
        )


_COUNTER, _GAUGE, _TEXT, _TREND = 350, 700, 60, 300
"""Bytes of the objects around the numbers, on CPython 3.11: of a series, a label, a trend."""


def joined(carried: Carried | None, recent: Samples) -> Samples:
    """All samples since the deploy of a level or growth rule: those carried, and the recent ones after them."""
    out = {}
    for name, found in recent.items():
        series = {key_of(one.labels): one for one in (carried.gauges.get(name, ()) if carried else ())}
        for one in found:
            key = key_of(one.labels)
            before, later = series.get(key), one.within(carried.until if carried else -inf, inf)
            series[key] = Series(one.labels, before.at + later.at, before.values + later.values) if before else later
        out[name] = [series[key] for key in sorted(series)]
    return out


def follow_rule(
    rule: str,
    measure: CompareMeasure,
    calibration: Calibration,
    samples: Samples,
    began: float,
    now: float,
    setting: Setting,
    carried: Carried | None,
    until: float,
    newest: float | None = None,
) -> tuple[Finding, Carried]:
    """(what `judge_rule` finds of all samples since `began`, what to carry to the next look).

    `samples`: of a ratio or latency rule those after `carried.until`, of the others all: see `joined`. The next look
    must be given those after the carried `until` again, which is not before `until`: of the later ones more may come.
    """
    if isinstance(calibration, CountCalibration):
        return _counts(
            rule, measure, calibration, samples, began, now, setting, carried or Carried(until), until, newest
        )
    gauges = {name: tuple(s.within(-inf, until) for s in found) for name, found in samples.items() if name != "limit"}
    carried = carried or Carried(until)
    trends: Trends = {}
    if isinstance(calibration, GrowthCalibration):
        finding, trends = judge_grown(rule, measure, calibration, samples, began, now, setting, carried.trends)
    else:
        finding = judge_rule(rule, measure, calibration, samples, began, now, setting)
    return finding, Carried(until, gauges=gauges, trends=trends)


def newest_of(samples: Samples, carried: Carried | None) -> float | None:
    """When the newest sample of all is from; None: there is none."""
    known = [series.at[-1] for found in samples.values() for series in found if series.at]
    return max([*known, *([carried.newest] if carried and carried.newest is not None else [])], default=None)


def _counts(
    rule: str,
    measure: CompareMeasure,
    calibration: CountCalibration,
    samples: Samples,
    began: float,
    now: float,
    setting: Setting,
    carried: Carried,
    until: float,
    newest: float | None,
) -> tuple[Finding, Carried]:
    edges, interval = edges_of(calibration), setting.interval
    scrapes = scrapes_of(began, now, interval)
    shape = Shape(began, interval, len(calibration.tracks), below=calibration.kind is CompareKind.latency)
    new, old = split(samples, setting)
    tally, counts = tallied(carried.new, members_of(measure, new, edges), shape, until, scrapes)
    old_tally, beside = None, None
    if carried.old or any(old.values()):
        old_tally, beside = tallied(carried.old, members_of(measure, old, edges), shape, until, scrapes)
    seen = seen_of(calibration, counts, beside, carried.seen)
    finding = finding_of(rule, setting.what or rule, calibration, seen, weight=setting.weight)
    return finding, Carried(until, newest, tally, old_tally, seen)
