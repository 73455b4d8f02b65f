"""From raw counter samples to what happened in each scrape: increments, resets, gaps, several pods.

Never from rate(): it extrapolates, so its numbers are not counts. Events and requests of a pod are from the same
scrape. A reset starts at the new value. A missing sample changes nothing; the next increment covers the gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from watchdog.judge.compare.arrays import Array, Flags, Like, Whole
from watchdog.judge.compare.gates import Counts

_AT_ONCE = 50_000
"""Samples that are counted in one call."""


@dataclass(frozen=True)
class RawSeries:
    """One counter as scraped: times in seconds (any origin, ascending), values."""

    times: Array
    values: Array


@dataclass(frozen=True)
class Pod:
    """The counters of one instance. `tracks`: for each tested share, the series whose sum are its events.

    For a ratio there is one track, the series of `events`. For latency `tracks` are the edges' buckets, `total` the
    +Inf buckets, and `below` is set: events are the requests that are not in the bucket. `born`: when this instance
    began, if known and its counters began at 0 with it.
    """

    tracks: tuple[tuple[RawSeries, ...], ...]
    total: tuple[RawSeries, ...]
    born: float | None = None
    below: bool = False


@dataclass(frozen=True)
class Increments:
    """What each scrape of each pod added since the one before it; (scrapes,) each."""

    at: Array
    since: Array
    """When the same pod was scraped before."""
    events: Array
    """(tracks, scrapes)"""
    total: Array

    def some(self, which: Flags) -> Increments:
        """Those scrapes."""
        return Increments(self.at[which], self.since[which], self.events[:, which], self.total[which])


def counted(pods: Sequence[Pod], origin: float, interval: float, scrapes: int) -> Counts:
    """Increments of all pods in `scrapes` slots of `interval` seconds from `origin` on; shapes as in `tiers`."""
    return slotted(increments(pods), origin, interval, scrapes)


def slot_of(at: Like, origin: float, interval: float) -> Whole:
    """The number of the slot in which a sample falls, give or take half an interval's jitter; from 0 on."""
    slots: Whole = np.ceil((np.asarray(at) - origin) / interval - 0.5).astype(np.int64) - 1
    return slots


def slotted(found: Increments, origin: float, interval: float, scrapes: int) -> Counts:
    """The increments, added up in each of `scrapes` slots; what falls outside is left out."""
    return slotted_apart(found, np.zeros(len(found.at), np.bool_), origin, interval, scrapes)[0]


def slotted_apart(
    found: Increments, apart: Flags, origin: float, interval: float, scrapes: int
) -> tuple[Counts, Counts]:
    """(what is not apart, what is), each as `slotted`."""
    slots = slot_of(found.at, origin, interval)
    inside = (slots >= 0) & (slots < scrapes)
    slots, found = (slots + scrapes * apart)[inside], found.some(inside)
    tracks, reach = len(found.events), np.zeros(2 * scrapes)
    np.maximum.at(reach, slots, np.maximum(1, np.rint((found.at - found.since) / interval)))
    cells = slots + 2 * scrapes * np.arange(tracks)[:, None]
    events = _summed(cells.ravel(), found.events.ravel(), 2 * tracks * scrapes).reshape(tracks, 2 * scrapes)
    both = Counts(events, _summed(slots, found.total, 2 * scrapes)[None, :], reach[None, :])
    return both.until(scrapes), both.after(scrapes)


@dataclass(frozen=True)
class Counters:
    """Many counters in one: `owner` (series,) says whose, by number, `group` (series,) 0 for a total, else the number
    of its track; each has so many samples (`lengths`) one after another in `times` and `values`."""

    owner: Sequence[int]
    group: Sequence[int]
    lengths: Sequence[int]
    times: Array
    values: Array

    @classmethod
    def of(cls, pods: Sequence[Pod]) -> Counters:
        """Those of the pods."""
        groups = [(owner, n, g) for owner, pod in enumerate(pods) for n, g in enumerate((pod.total, *pod.tracks))]
        known = [(owner, group, one) for owner, group, found in groups for one in found]
        return cls(
            [owner for owner, _, _ in known],
            [group for _, group, _ in known],
            [len(one.times) for _, _, one in known],
            np.concatenate([np.zeros(0), *(one.times for _, _, one in known)]),
            np.concatenate([np.zeros(0), *(one.values for _, _, one in known)]),
        )


@dataclass(frozen=True)
class Scrapes:
    """All samples of counters, scrape by scrape. A scrape is a time at which any of an owner's totals has a sample."""

    owner: Whole
    at: Array
    grown: Array
    """(1 + tracks, scrapes): by how much the series of each group grew."""
    series: Whole
    times: Array
    values: Array
    """(samples,): of which series; NaN, and what is of no scrape, is left out."""


def increments(pods: Sequence[Pod]) -> Increments:
    """What each scrape added. A pod's first scrape says nothing, unless it is known when the pod was born."""
    tracks = max((len(pod.tracks) for pod in pods), default=1)
    found = [_increments(some, tracks) for some in _batches(pods)]
    if len(found) == 1:
        return found[0]
    return Increments(
        np.concatenate([each.at for each in found]),
        np.concatenate([each.since for each in found]),
        np.concatenate([each.events for each in found], axis=1),
        np.concatenate([each.total for each in found]),
    )


def _batches(pods: Sequence[Pod]) -> Iterator[Sequence[Pod]]:
    """As many pods at once as have _AT_ONCE samples: those of a day, of many pods, would need much memory."""
    first, many = 0, 0
    for number, pod in enumerate(pods):
        size = sum(len(series.times) for found in (pod.total, *pod.tracks) for series in found)
        if many + size > _AT_ONCE and number > first:
            yield pods[first:number]
            first, many = number, 0
        many += size
    yield pods[first:]


def _increments(pods: Sequence[Pod], tracks: int) -> Increments:
    born = np.array([np.nan if pod.born is None else pod.born for pod in pods])
    below = np.array([pod.below for pod in pods], bool)
    return added(scrapes_of(Counters.of(pods), tracks), born, below)


def added(found: Scrapes, born: Array, below: Flags) -> Increments:
    """The same of scrapes; `born` (owners,) is NaN where unknown, `below` (owners,): see Pod."""
    owner, at, total, grown = found.owner, found.at, found.grown[0], found.grown[1:]
    since = np.empty(len(at))
    since[1:] = at[:-1]
    first = np.ones(len(at), bool)
    first[1:] = owner[1:] != owner[:-1]
    since[first] = born[owner[first]]
    events = np.minimum(np.maximum(np.where(below[owner], total - grown, grown), 0.0), total)
    return Increments(at, since, events, total).some(~np.isnan(since))


def scrapes_of(counters: Counters, tracks: int) -> Scrapes:
    """A series that appears later than its owner (the first error) began at 0; one that comes back lower (after a
    restart) begins anew."""
    # All series of all pods at once: there are few samples in each, so it is the calls that would cost time.
    series = np.repeat(np.arange(len(counters.lengths)), counters.lengths)
    owner, group = np.array([counters.owner, counters.group], np.int64)[:, series]
    # One number for an owner's time, so that those of one owner follow one another: equal where both are.
    times = counters.times
    begin, end = (times.min(), times.max()) if len(times) else (0.0, 0.0)
    key = owner * (end - begin + 1) + (times - begin)
    totals = np.flatnonzero(group == 0)
    scrapes, which = np.unique(key[totals], return_index=True)
    place, many = np.searchsorted(scrapes, key), len(scrapes)
    used = ~np.isnan(counters.values) & (np.append(scrapes, -1)[place] == key)
    series, values = series[used], counters.values[used]
    sums = _summed((group * many + place)[used], _grown(values, series), (tracks + 1) * many)
    each = totals[which]
    return Scrapes(owner[each], times[each], sums.reshape(tracks + 1, many), series, times[used], values)


def _summed(places: Whole, values: Array, many: int) -> Array:
    """The sum of the values at each place; zeros also where there is nothing to sum up."""
    return np.bincount(places, values, many).astype(np.float64, copy=False)


def _grown(values: Array, series: Whole) -> Array:
    """By how much each value is over the one before it of its series."""
    last = np.zeros(len(values))
    last[1:] = np.where(series[1:] == series[:-1], values[:-1], 0.0)
    return np.where(values >= last, values - last, values)


def longest_gap(counts: Counts) -> int:
    """Scrapes in a row without a sample. Over two, ask the platform and `up`: no sample is no evidence."""
    longest = run = 0
    for covered in counts.reach[0]:
        run = 0 if covered > 0 else run + 1
        longest = max(longest, run)
    return longest
