"""Counters counted as they come in: what is carried from one look to the next instead of all samples since the deploy.

Counting the samples of a stretch piece by piece is what counting them at once is. A tally is a value: it is handed in,
and a later one is handed out.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import isnan, nan

import numpy as np

from watchdog.judge.compare.arrays import Array
from watchdog.judge.compare.counts import Pod, RawSeries, increments, slotted
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


def tallied(tally: Tally | None, recent: Mapping[Name, Sequence[Member]], shape: Shape, until: float, scrapes: int) -> tuple[Tally, Counts]:
    """(a later tally of what was up to `until`, the counts of all `scrapes` slots).

    `recent` has all samples after the earlier tally's `until`, those after the later one's too: they are read again at
    the next look, as more of them may come in.
    """
    known = tally.instances if tally else {}
    joined = {name: _joined(known.get(name), recent.get(name, ())) for name in {**known, **recent}}
    found = increments([_pod(series, shape) for series in joined.values()])
    done = found.at <= until
    before = tally.counts if tally else _none(shape.tracks)
    counts = _added(before, slotted(found.some(done), shape.origin, shape.interval, scrapes))
    instances = {name: last for name, series in joined.items() if (last := _last(series, until)) is not None}
    whole = _added(counts, slotted(found.some(~done), shape.origin, shape.interval, scrapes))
    return Tally(until, counts, instances), whole


def key_of(labels: Mapping[str, str]) -> str:
    """The labels as one text, small and the same in whatever order they come."""
    return "\0".join(chain.from_iterable(sorted(labels.items())))


_Samples = tuple["array[float]", "array[float]"]


def _joined(last: Instance | None, recent: Sequence[Member]) -> dict[Known, _Samples]:
    """Each series with its last sample before, as if it had been in the instance's last scrape."""
    out: dict[Known, _Samples] = {}
    if last is not None:
        at = array("d", (last.at,))
        out = {known: (at, array("d", (value,))) for known, value in last.values.items()}
    for track, series in recent:
        known = (track, key_of(series.labels))
        before = out.get(known)
        out[known] = (before[0] + series.at, before[1] + series.values) if before else (series.at, series.values)
    return out


def _pod(series: Mapping[Known, _Samples], shape: Shape) -> Pod:
    groups: list[list[RawSeries]] = [[] for _ in range(shape.tracks + 1)]
    for (track, _), (at, values) in series.items():
        groups[track].append(RawSeries(np.frombuffer(at), np.frombuffer(values)))
    total, *tracks = map(tuple, groups)
    return Pod(tracks=tuple(tracks), total=total, below=shape.below)


def _last(series: Mapping[Known, _Samples], until: float) -> Instance | None:
    """Where the instance stands at its last scrape up to `until`; None: there was none."""
    scraped = {at for (track, _), (times, _) in series.items() if not track for at in times if at <= until}
    if not scraped:
        return None
    values = {}
    for known, (times, numbers) in series.items():
        value = nan
        for place in range(bisect_right(times, until) - 1, -1, -1):
            if times[place] in scraped and not isnan(numbers[place]):
                value = numbers[place]
                break
        if not known[0] or not isnan(value):
            values[known] = value
    return Instance(max(scraped), values)


def _none(tracks: int) -> Counts:
    return Counts(np.zeros((tracks, 0)), np.zeros((1, 0)), np.zeros((1, 0)))


def _added(counts: Counts, more: Counts) -> Counts:
    """`counts` may have fewer slots."""
    many = more.total.shape[-1]
    events, total, reach = (_wide(part, many) for part in (counts.events, counts.total, counts.reach))
    return Counts(events + more.events, total + more.total, np.maximum(reach, more.reach))


def _wide(values: Array, many: int) -> Array:
    out = np.zeros((len(values), many))
    out[:, : values.shape[-1]] = values
    return out
