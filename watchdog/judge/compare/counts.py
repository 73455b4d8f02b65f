"""From raw counter samples to what happened in each scrape: increments, resets, gaps, several pods.

Never from rate(): it extrapolates, so its numbers are not counts. Events and requests of a pod are from the same
scrape. A reset starts at the new value. A missing sample changes nothing; the next increment covers the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from watchdog.judge.compare.arrays import Array, Flags, Like, Whole
from watchdog.judge.compare.gates import Counts


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
    slots = slot_of(found.at, origin, interval)
    inside = (slots >= 0) & (slots < scrapes)
    slots, found = slots[inside], found.some(inside)
    tracks, reach = len(found.events), np.zeros(scrapes)
    np.maximum.at(reach, slots, np.maximum(1, np.round((found.at - found.since) / interval)))
    cells = slots + scrapes * np.arange(tracks)[:, None]
    events = np.bincount(cells.ravel(), found.events.ravel(), tracks * scrapes).reshape(tracks, scrapes)
    return Counts(events, np.bincount(slots, found.total, scrapes)[None, :], reach[None, :])


def increments(pods: Sequence[Pod]) -> Increments:
    """What each scrape added. A pod's first scrape says nothing, unless it is known when the pod was born.

    A scrape is a time at which any of a pod's totals has a sample. A series that appears later than its pod (the first
    error) began at 0. One that disappears (a restart) and comes back lower begins anew.
    """
    # All series of all pods at once: there are few samples in each, so it is the calls that would cost time.
    tracks = max((len(pod.tracks) for pod in pods), default=1)
    groups = [(owner, n, g) for owner, pod in enumerate(pods) for n, g in enumerate((pod.total, *pod.tracks))]
    series = [(owner, group, one) for owner, group, found in groups for one in found]
    if not any(group == 0 and len(one.times) for _, group, one in series):
        return Increments(np.zeros(0), np.zeros(0), np.zeros((tracks, 0)), np.zeros(0))
    number = np.repeat(np.arange(len(series)), [len(one.times) for _, _, one in series])
    owner, group = np.array([known[:2] for known in series]).T[:, number]
    values = np.concatenate([one.values for _, _, one in series])
    moments, moment = np.unique(np.concatenate([one.times for _, _, one in series]), return_inverse=True)
    key = owner * len(moments) + moment
    scrapes = np.unique(key[group == 0])
    place = np.minimum(np.searchsorted(scrapes, key), len(scrapes) - 1)
    used = (scrapes[place] == key) & ~np.isnan(values)
    cells, many = (group * len(scrapes) + place)[used], len(scrapes)
    sums = np.bincount(cells, _grown(values[used], number[used]), (tracks + 1) * many).reshape(tracks + 1, many)
    return _of_pods(pods, scrapes // len(moments), moments[scrapes % len(moments)], sums[0], sums[1:])


def _grown(values: Array, series: Whole) -> Array:
    """By how much each value is over the one before it of its series."""
    last = np.zeros(len(values))
    last[1:] = np.where(series[1:] == series[:-1], values[:-1], 0.0)
    return np.where(values >= last, values - last, values)


def _of_pods(pods: Sequence[Pod], pod: Whole, at: Array, total: Array, grown: Array) -> Increments:
    """`pod`: whose scrape it is; `grown` (tracks, scrapes): by how much the tracks' series grew."""
    born = np.array([np.nan if each.born is None else each.born for each in pods])
    below = np.array([each.below for each in pods])
    since = np.empty(len(at))
    since[1:], first = at[:-1], np.concatenate(([True], pod[1:] != pod[:-1]))
    since[first] = born[pod[first]]
    events = np.clip(np.where(below[pod], total - grown, grown), 0.0, total)
    return Increments(at, since, events, total).some(~np.isnan(since))


def longest_gap(counts: Counts) -> int:
    """Scrapes in a row without a sample. Over two, ask the platform and `up`: no sample is no evidence."""
    longest = run = 0
    for covered in counts.reach[0]:
        run = 0 if covered > 0 else run + 1
        longest = max(longest, run)
    return longest
