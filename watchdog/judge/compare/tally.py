"""Counters counted as they come in: what is carried from one look to the next instead of all samples since the deploy.

Counting the samples of a stretch piece by piece is what counting them at once is. A tally is a value: it is handed in,
and a later one is handed out.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

import numpy as np

from watchdog.judge.compare.arrays import Array
from watchdog.judge.compare.counts import Counters, Scrapes, added, scrapes_of, slotted, slotted_apart
from watchdog.judge.compare.gates import Counts
from watchdog.model.series import Series

Name = tuple[str, ...]
Known = tuple[int, str]
"""A series of an instance: 0 for its total, else the number of its track; and its labels."""
Member = tuple[int, Series]
"""0 for a total, else the number of the track, from 1 on; and the series."""


@dataclass(frozen=True)
class Instance:
    """The counters of one instance at its last scrape; NaN where a total never had a value."""

    at: float
    values: Mapping[Known, float]


@dataclass(frozen=True)
class Tally:
    """What the samples up to `until` (unix seconds) came to, in as many slots as there were by then."""

    until: float
    counts: Counts
    instances: Mapping[Name, Instance] = field(default_factory=dict)


@dataclass(frozen=True)
class Shape:
    """How the increments are counted: see `counts.Pod` for `below`."""

    origin: float
    interval: float
    tracks: int
    below: bool


def tallied(
    tally: Tally | None, recent: Mapping[Name, Sequence[Member]], shape: Shape, until: float, scrapes: int
) -> tuple[Tally, Counts]:
    """(a later tally of what was up to `until`, the counts of all `scrapes` slots).

    `recent` has all samples after the earlier tally's `until`, those after the later one's too: they are read again at
    the next look, as more of them may come in.
    """
    known = tally.instances if tally else {}
    names = list({**known, **recent})
    series, counters = _joined(known, recent, names)
    found = scrapes_of(counters, shape.tracks)
    each = added(found, np.full(len(names), np.nan), np.full(len(names), shape.below))
    if tally is not None and until <= tally.until:  # looks come more often than scrapes
        return tally, _added(tally.counts, slotted(each, shape.origin, shape.interval, scrapes))
    done, more = slotted_apart(each, each.at > until, shape.origin, shape.interval, scrapes)
    counts = _added(tally.counts if tally else _none(shape.tracks), done)
    whole = _added(counts, more)
    return Tally(until, counts, _last(found, counters.owner, series, names, until)), whole


def key_of(labels: Mapping[str, str]) -> str:
    """The labels as one text, small and the same in whatever order they come."""
    names = sorted(labels)
    return "\0".join([*names, *map(labels.__getitem__, names)])


def _joined(
    known: Mapping[Name, Instance], recent: Mapping[Name, Sequence[Member]], names: Sequence[Name]
) -> tuple[list[Known], Counters]:
    """Each series, with its last sample before as if it had been in its instance's last scrape."""
    series: list[Known] = []
    owner: list[int] = []
    lengths: list[int] = []
    times, values = array("d"), array("d")
    for number, name in enumerate(names):
        last = known.get(name, _NEW)
        left = dict(last.values)
        for track, one in recent.get(name, ()):
            which = (track, key_of(one.labels))
            many = len(one.at)
            if which in left:
                times.append(last.at)
                values.append(left.pop(which))
                many += 1
            times.extend(one.at)
            values.extend(one.values)
            series.append(which)
            lengths.append(many)
        times.extend([last.at] * len(left))
        values.extend(left.values())
        series.extend(left)
        lengths.extend([1] * len(left))
        owner.extend([number] * (len(series) - len(owner)))
    group = [track for track, _ in series]
    return series, Counters(owner, group, lengths, np.array(times), np.array(values))


_NEW = Instance(nan, {})


def _last(
    found: Scrapes, owner: Sequence[int], series: Sequence[Known], names: Sequence[Name], until: float
) -> dict[Name, Instance]:
    """Where each instance stands at its last scrape up to `until`."""
    done = found.at <= until
    at = dict(zip(found.owner[done].tolist(), found.at[done].tolist(), strict=True))  # the last one stays
    known = found.times <= until
    value = dict(zip(found.series[known].tolist(), found.values[known].tolist(), strict=True))
    stands: dict[int, dict[Known, float]] = {number: {} for number in at}
    for number, (whose, which) in enumerate(zip(owner, series, strict=True)):
        if whose in stands and (number in value or not which[0]):
            stands[whose][which] = value.get(number, nan)
    return {names[number]: Instance(at[number], values) for number, values in stands.items()}


def _none(tracks: int) -> Counts:
    return Counts(np.zeros((tracks, 0)), np.zeros((1, 0)), np.zeros((1, 0)))


def _added(counts: Counts, more: Counts) -> Counts:
    """`counts` may have fewer slots."""
    many = more.total.shape[-1]
    events, total, reach = (_wide(part, many) for part in (counts.events, counts.total, counts.reach))
    return Counts(events + more.events, total + more.total, np.maximum(reach, more.reach))


def _wide(values: Array, many: int) -> Array:
    if values.shape[-1] == many:
        return values
    out = np.zeros((len(values), many))
    out[:, : values.shape[-1]] = values
    return out
