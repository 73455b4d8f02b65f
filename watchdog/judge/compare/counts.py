"""From raw counter samples to what happened in each scrape: increments, resets, gaps, several pods.

Never from rate(): it extrapolates, so its numbers are not counts. Events and requests of a pod are from the same
scrape. A reset starts at the new value. A missing sample changes nothing; the next increment covers the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from watchdog.judge.compare.arrays import Array
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


def counted(pods: Sequence[Pod], origin: float, interval: float, scrapes: int) -> Counts:
    """Increments of all pods in `scrapes` slots of `interval` seconds from `origin` on; shapes as in `tiers`.

    A sample at time t belongs to the slot in which it falls, give or take half an interval's jitter.
    """
    tracks = max((len(pod.tracks) for pod in pods), default=1)
    events, total, reach = np.zeros((tracks, scrapes)), np.zeros(scrapes), np.zeros(scrapes)
    for pod in pods:
        times = _scraped(pod)
        if not len(times):
            continue
        requests = _increments(pod.total, times, pod.born)
        slots = np.ceil((times - origin) / interval - 0.5).astype(int) - 1
        before = np.concatenate(([pod.born if pod.born is not None else np.nan], times[:-1]))
        inside = (slots >= 0) & (slots < scrapes) & ~np.isnan(requests)
        spans = np.maximum(1, np.round((times - before) / interval))
        np.add.at(total, slots[inside], requests[inside])
        np.maximum.at(reach, slots[inside], spans[inside])
        for number, series in enumerate(pod.tracks):
            found = _increments(series, times, pod.born)
            found = requests - found if pod.below else np.where(np.isnan(found), 0.0, found)
            np.add.at(events[number], slots[inside], np.clip(found[inside], 0.0, requests[inside]))
    return Counts(events, total[None, :], reach[None, :])


def longest_gap(counts: Counts) -> int:
    """Scrapes in a row without a sample. Over two, ask the platform and `up`: no sample is no evidence."""
    longest = run = 0
    for covered in counts.reach[0]:
        run = 0 if covered > 0 else run + 1
        longest = max(longest, run)
    return longest


def _scraped(pod: Pod) -> Array:
    """When the pod was scraped: all times at which any of its totals has a sample."""
    times = [series.times for series in pod.total]
    return np.unique(np.concatenate(times)) if times else np.zeros(0)


def _increments(series: Sequence[RawSeries], times: Array, born: float | None) -> Array:
    """The sum of all series' increments at `times`; NaN where nothing is known, as at the first scrape.

    A series that appears later than its pod (the first error) began at 0. One that disappears (a restart) and comes
    back lower begins anew.
    """
    if not series:
        out = np.zeros(len(times))
        out[:1] = np.nan if born is None else 0.0
        return out
    summed: Array = np.sum([_of_one(each, times, born) for each in series], axis=0)
    return summed


def _of_one(series: RawSeries, times: Array, born: float | None) -> Array:
    out = np.zeros(len(times))
    if born is None and len(times):
        out[0] = np.nan
    places = np.searchsorted(times, series.times)
    known = (places < len(times)) & ~np.isnan(series.values)
    known[known] &= times[places[known]] == series.times[known]
    at, values = places[known], series.values[known]
    if not len(at):
        return out
    last = np.concatenate(([0.0], values[:-1]))
    grown = np.where(values >= last, values - last, values)
    if at[0] == 0 and born is None:
        at, grown = at[1:], grown[1:]
    out[at] = grown
    return out
