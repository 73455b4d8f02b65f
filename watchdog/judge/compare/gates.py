"""Gates of the tiers: what must also hold for evidence to count. Each only ever takes a trip away.

Shapes as in `tiers`: events (..., tracks, scrapes), total (..., 1, scrapes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from watchdog.judge.compare.arrays import Array, Flags, Whole, after, since_each, summed, trailing, windows
from watchdog.judge.compare.eprocess import best_ratio

LASTING = 60.0
GROSS_LASTING = 30.0
"""Seconds for which an excess must last: shorter is a blip."""
_BLIP = 45.0
_SPEAKS, _SPEAKS_MORE, _SPEAKS_MOST = 1.5, 0.02, 2.5
_SPEAKS_RARE = 0.5
"""ln likelihood ratio; a second; at most. The longer the watch, the more often chance has had its turn."""
_AHEAD = 120.0
_TREND = 6
_EXPECTED = 5.0
"""A block is looked at alone only where p* lets this many events be expected in it."""


@dataclass(frozen=True)
class Counts:
    """What happened in each scrape. `reach`: how many intervals it covers; 0 where there was no sample."""

    events: Array
    total: Array
    reach: Array

    def after(self, first: int) -> Counts:
        """From scrape number `first` on."""
        return Counts(self.events[..., first:], self.total[..., first:], self.reach[..., first:])

    def until(self, last: int) -> Counts:
        """Up to scrape number `last`, without it."""
        return Counts(self.events[..., :last], self.total[..., :last], self.reach[..., :last])

    def alike(self, other: Counts) -> int:
        """How many of the first scrapes are the same in both."""
        many = min(self.total.shape[-1], other.total.shape[-1])
        differs = self.total[..., :many] != other.total[..., :many]
        differs = differs | (self.reach[..., :many] != other.reach[..., :many])
        differs = (differs | (self.events[..., :many] != other.events[..., :many])).any(axis=-2)
        return int(differs.argmax()) if differs.any() else many

    @property
    def nbytes(self) -> int:
        """Of memory, for the numbers."""
        return self.events.nbytes + self.total.nbytes + self.reach.nbytes


def gated(evidence: Array, opened: Flags) -> Array:
    """A gate only ever takes evidence away."""
    return np.where(opened, evidence, np.minimum(evidence, 0.0))


def fine_gates(
    counts: Counts,
    counted: Counts,
    p_star: Array,
    phi: Array,
    interval: float,
    start: Array | float = 0.0,
    first: int = 0,
) -> Flags:
    """The gates that hold for all beginnings of the fine tier; `counted` is `counts` without the start-up. Like each
    gate, told for the scrapes from number `first` on."""
    opened = lasting(counted, p_star, interval, LASTING, start, first)
    return opened & ~recovering(counts, p_star, phi, interval, first)


def lasting(
    counts: Counts, bound: Array, interval: float, seconds: float, start: Array | float = 0.0, first: int = 0
) -> Flags:
    """Gate: the last `seconds`, all after `start`, are over the bound, in each part that is large enough to tell.

    With much traffic the parts are scrapes, with less halves, with little the whole. Parts without requests say
    nothing.
    """
    scrapes = max(1, round(seconds / interval))
    skipped = max(0, first - scrapes)
    counts, bound = counts.after(skipped), after(bound, skipped)
    k, n = trailing(counts.events, scrapes), trailing(counts.total, scrapes)
    expected = bound * n
    opened: Flags = k > expected
    ages = np.arange(skipped + 1, skipped + 1 + k.shape[-1]) * interval
    opened = opened & (ages >= start + scrapes * interval - 1e-6)
    for size in sorted({1, scrapes // 2} - {0, scrapes}):
        parts = scrapes // size
        tells = expected >= parts * _EXPECTED
        if tells.any():
            part_k, part_n = (trailing(each, size) if size > 1 else each for each in (counts.events, counts.total))
            over = (part_k > bound * part_n) | (part_n <= 0)
            every = over.copy()
            for back in range(size, parts * size, size):
                every[..., back:] &= over[..., :-back]
            opened &= every | ~tells
        if tells.all():
            break  # where each scrape is over, each half is
    return opened[..., first - skipped :]


@dataclass(frozen=True)
class Begun:
    """What happened since each of some scrapes, `begins`, told for the scrapes from number `first` on."""

    begins: Whole
    first: int
    k: Array
    """Events, (begins, ..., tracks, scrapes)."""
    n: Array
    """Requests, (begins, ..., 1, scrapes)."""
    sums: tuple[Array, Array]
    """Events and requests since the first scrape of all, see `summed`."""

    @classmethod
    def of(cls, counts: Counts, begins: Whole, first: int = 0) -> Begun:
        """The sums of these counts."""
        sums = summed(counts.events), summed(counts.total)
        k, n = (since_each(begins, each, first) for each in sums)
        return cls(begins, first, k, n, sums)

    def some(self, which: Whole) -> Begun:
        """Those of some of the beginnings, by number."""
        return Begun(self.begins[which], self.first, self.k[which], self.n[which], self.sums)


def not_a_blip(begun: Begun, counts: Counts, p_star: Array, phi: Array, interval: float) -> Flags:
    """Gate of each beginning of the fine tier, (begins, ..., tracks, scrapes): without their worst 45 s in a row, the
    counts since then still speak against p*.

    Speak: their ln likelihood ratio at its best is over 1.5, after two minutes over 2.5; with little traffic over .5.
    """
    first, (k, n), width = begun.first, begun.sums, max(1, round(_BLIP / interval))
    over = summed(counts.events - p_star * counts.total)
    ends = np.arange(1, over.shape[-1])
    begin = np.minimum(begun.begins, len(ends)).reshape(-1, *[1] * over.ndim)
    last = _highest(_stretches(over, begin.ravel().tolist(), width), first) + 1
    stretch = np.stack((np.maximum(last - width, begin), last))
    recent = n[..., first + 1 :] - _taken(n, np.maximum(ends[first:] - width, begin))
    ages = np.maximum(ends[first:] - begin, 0) * interval
    often = np.minimum(_SPEAKS + _SPEAKS_MORE * np.maximum(ages - LASTING, 0), _SPEAKS_MOST)
    star, scale = after(p_star, first), after(phi, first)
    # Where p* lets less than one event be expected in so short a stretch, a blip can hardly be evidence.
    wanted = np.where(star * recent >= scale, often, _SPEAKS_RARE)
    rest_k, rest_n = begun.k - _between(k, stretch), begun.n - _between(n, stretch)
    opened: Flags = best_ratio(star, rest_k / scale, rest_n / scale) > wanted
    return opened


def _stretches(sums: Array, begins: Sequence[int], width: int) -> Array:
    """What came in the last `width` scrapes, at each of them, (begins, ..., scrapes); since the beginning where that is
    less long ago, and −inf before it. From `summed` values."""
    whole = windows(sums[..., 1:], width)
    out = np.empty((len(begins), *whole.shape))
    for each, begin in zip(out, begins, strict=True):
        each[..., :begin] = -np.inf
        each[..., begin : begin + width] = sums[..., begin + 1 : begin + 1 + width] - sums[..., begin : begin + 1]
        each[..., begin + width :] = whole[..., begin + width :]
    return out


def _between(sums: Array, stretch: Whole) -> Array:
    """What came in stretches, (begin and end, begins, ...); `sums` without the axis of beginnings."""
    begin, end = _taken(sums, stretch)
    out: Array = end - begin
    return out


def _taken(sums: Array, at: Whole) -> Array:
    rows = np.arange(0, sums.size, sums.shape[-1]).reshape(*sums.shape[:-1], 1)
    found: Array = sums.ravel()[rows + at]  # take_along_axis, in half the time
    return found


def _highest(values: Array, first: int) -> Whole:
    """Where the highest value so far is, the last of several, at each scrape from `first` on."""
    earlier, later = values[..., : first + 1], values[..., first:].copy()
    before: Whole = first - earlier[..., ::-1].argmax(axis=-1)
    later[..., 0] = earlier.max(axis=-1)
    numbers = np.where(later >= np.maximum.accumulate(later, axis=-1), np.arange(first, values.shape[-1]), 0)
    numbers[..., 0] = before
    out: Whole = np.maximum.accumulate(numbers, axis=-1)
    return out


def recovering(counts: Counts, p_star: Array, phi: Array, interval: float, first: int = 0) -> Flags:
    """Gate: the log rate of the last 6 scrapes falls (z < −2), and 120 s ahead it would be below p*."""
    skipped = max(0, first - _TREND)
    counts, p_star, phi = counts.after(skipped), after(p_star, skipped), after(phi, skipped)
    ages = np.arange(skipped, skipped + counts.total.shape[-1]) * interval
    seen = np.broadcast_to(counts.total > 0, counts.events.shape)
    y = np.where(seen, np.log((counts.events + 0.5) / (counts.total + 1)), 0.0)
    w = np.where(seen, (counts.events + 0.5) / phi, 0.0)
    aged, weighed = w * ages, w * y
    weight, x, xx, yy, xy, many = trailing(np.stack((w, aged, aged * ages, weighed, weighed * ages, seen)), _TREND)
    weight = np.maximum(weight, 1e-12)
    spread = np.maximum(xx - x * x / weight, 1e-12)
    slope = (xy - x * yy / weight) / spread
    ahead = yy / weight + slope * (ages + _AHEAD - x / weight)
    falling: Flags = (slope * np.sqrt(spread) < -2) & (ahead < np.log(p_star)) & (many >= 3)
    return falling[..., first - skipped :]
