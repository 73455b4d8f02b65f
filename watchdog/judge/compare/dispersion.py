"""φ: by how much this service's counts vary more than chance alone, found by replaying the detector on its own past.

At least 30 pretend watches (placebos) of the history are judged like real ones; φ is what makes the worst of M of them
reach no more than E = M. With fewer, Pearson's φ of the last half hour, and a margin for how little that is. A history
may have been calm by luck: Pearson's φ of a usual half hour of it gives what φ is at least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from watchdog.judge.compare.arrays import Array, Flags, Whole
from watchdog.judge.compare.baseline import window_sums
from watchdog.judge.compare.eprocess import best_ratio
from watchdog.judge.compare.gates import Counts, fine_gates, gated
from watchdog.judge.compare.tiers import RENEWALS, RENEWED, Tolerance, fine_evidence, gross_evidence

STEP = 1.5
MARGIN = 1.5
"""Where φ is over 2 it is raised once more: how bad the worst of a hundred placebos is, is itself a matter of luck."""
FEWEST = 30
"""Placebos below which Pearson's φ is used."""
_STRONGEST = 8
LARGEST = 40
"""φ is at most STEP to this power (11 million): more is no service that counts can judge."""
_BLOCK, _BLOCKS = 120.0, 15
"""Seconds; blocks in half an hour."""
_LEAST = 0.4
"""Found on the bench: false rollbacks with three times the traffic fall to a fifth; errors 1→2 % are found an eighth
less often at 10 requests a second, and larger changes as before."""
_WARM = 1800
"""Seconds of history before the first placebo."""


def placebo_moments(scrapes: int, watch: int, interval: float) -> Whole:
    """Where pretend watches of `watch` scrapes begin: side by side, the last one ends with the history."""
    warm = round(_WARM / interval)
    many = max(0, (scrapes - warm) // watch)
    return scrapes - watch * np.arange(many, 0, -1)


def by_placebos(
    events: Array, total: Array, *, tolerance: Tolerance, watch: int, interval: float, signals: int
) -> tuple[Array, Array, Array]:
    """(φ of the fine tier, φ of the gross tier, placebos) for each row of `events` and `total` (rows, scrapes).

    Both are zero where the history may not count; a placebo that touches such a stretch is left out.
    """
    begins = placebo_moments(total.shape[-1], watch, interval)
    rows = total.shape[0]
    if not len(begins):
        return np.ones(rows), np.ones(rows), np.zeros(rows)
    base_k, base_n, _ = window_sums(events, total, begins, interval)
    shape = (rows, len(begins), watch)
    k, n = events[:, begins[0] :].reshape(shape), total[:, begins[0] :].reshape(shape)
    # A placebo counts where it has requests in all but a few scrapes, and a baseline.
    whole = ((n > 0).mean(axis=-1) >= 0.8) & (base_n > 0)
    many = whole.sum(axis=-1)
    limit = np.broadcast_to(np.log(np.maximum(many, 2))[:, None], whole.shape)
    owner = np.broadcast_to(np.arange(rows)[:, None], whole.shape)
    flat = _Placebos(k[whole], n[whole], base_k[whole], base_n[whole], limit[whole], owner[whole])
    bounds = (
        tolerance.fine_bound(flat.base_k, flat.base_n, np.ones(1), signals),
        tolerance.gross_bound(flat.base_k / np.maximum(flat.base_n, 1e-9)),
    )
    fine, gross = (
        _smallest(flat, rows, _best(bound, flat.k, flat.n, np.ones(1)).max(axis=-1, initial=0.0), over)
        for bound, over in zip(
            bounds,
            (
                lambda some, phi: _fine(some, phi, tolerance, signals, interval),
                lambda some, phi: _gross(some, phi, tolerance, interval),
            ),
            strict=True,
        )
    )
    for phi in (fine, gross):
        phi[phi > 2] *= MARGIN
    return fine, gross, many.astype(float)


@dataclass(frozen=True)
class _Placebos:
    """Pretend watches as rows: counts (rows, scrapes), their baselines, what they may reach, and whose they are."""

    k: Array
    n: Array
    base_k: Array
    base_n: Array
    limit: Array
    owner: Whole

    def some(self, i: Whole) -> _Placebos:
        """The rows with these numbers."""
        return _Placebos(self.k[i], self.n[i], self.base_k[i], self.base_n[i], self.limit[i], self.owner[i])

    def counts(self) -> Counts:
        """As one track each."""
        return Counts(self.k[:, None], self.n[:, None], np.ones_like(self.n[:, None]))


def _smallest(every: _Placebos, owners: int, strength: Array, over: Callable[[_Placebos, Array], Flags]) -> Array:
    """The smallest φ of each owner for which none of its placebos is over its limit.

    A placebo that is within its limit stays so for every larger φ (the mean of y^θ is at most the mean of y, to the
    θ, for θ < 1), so only those that are over are asked again. The strongest go first, which spares the others most.
    """
    power = np.zeros(owners)
    order = np.lexsort((-strength, every.owner))
    rank = np.arange(len(order)) - np.searchsorted(every.owner[order], every.owner[order])
    for left in (every.some(order[rank < _STRONGEST]), every):
        asked = left
        while len(asked.k):
            asked = asked.some(np.flatnonzero(over(asked, STEP ** power[asked.owner])))
            power[np.unique(asked.owner)] += 1
            asked = asked.some(np.flatnonzero(power[asked.owner] < LARGEST))
    out: Array = STEP**power
    return out


def _fine(some: _Placebos, phi: Array, tolerance: Tolerance, signals: int, interval: float) -> Flags:
    p_star = tolerance.fine_bound(some.base_k, some.base_n, phi, signals)
    over = np.zeros(len(some.k), bool)
    could = _could_reach(some, p_star, phi, interval)
    near = np.flatnonzero(could.any(axis=-1))
    opened = _opened(some.some(near), p_star[near], phi[near], interval)
    left = (could[near] & opened[:, 0]).any(axis=-1)
    near, opened = near[left], opened[left]
    part, star = some.some(near), p_star[near][:, None, None]
    evidence = fine_evidence(part.counts(), star, phi[near][:, None, None], interval)
    over[near] = gated(evidence, opened).max(axis=(1, 2), initial=0.0) > part.limit
    return over


def _opened(some: _Placebos, p_star: Array, phi: Array, interval: float) -> Flags:
    counts = some.counts()
    return fine_gates(counts, counts, p_star[:, None, None], phi[:, None, None], interval)


def _gross(some: _Placebos, phi: Array, tolerance: Tolerance, interval: float) -> Flags:
    bound = tolerance.gross_bound(some.base_k / np.maximum(some.base_n, 1e-9))
    over = np.zeros(len(some.k), bool)
    near = np.flatnonzero(_best(bound, some.k, some.n, phi).max(axis=-1) > some.limit)
    part, star = some.some(near), bound[near][:, None, None]
    evidence = gross_evidence(part.counts(), star, phi[near][:, None, None], interval)
    over[near] = evidence.max(axis=(1, 2), initial=0.0) > part.limit
    return over


def _could_reach(some: _Placebos, p_star: Array, phi: Array, interval: float) -> Flags:
    """Where any beginning of the fine tier could be over the limit: no mixture is over its best alternative."""
    limit = some.limit[:, None]
    out: Flags = _best(p_star, some.k, some.n, phi) > limit
    for number in range(1, RENEWALS + 1):
        first = round(number * RENEWED / interval)
        if first < some.k.shape[-1]:
            out[:, first:] |= _best(p_star, some.k[:, first:], some.n[:, first:], phi) > limit
    return out


def _best(p_star: Array, k: Array, n: Array, phi: Array) -> Array:
    """`best_ratio` of the counts so far, over time."""
    scale = phi[:, None]
    return best_ratio(p_star[:, None], np.cumsum(k, axis=-1) / scale, np.cumsum(n, axis=-1) / scale)


def pearson(events: Array, total: Array, interval: float) -> Array:
    """φ of 2-min blocks of the last 30 min, times its upper χ² 10 % factor; at least 1. Shapes (..., scrapes)."""
    width = _width(interval)
    blocks = min(_BLOCKS, events.shape[-1] // width)
    if blocks < 3:
        return np.full(events.shape[:-1], 10.0)
    last = slice(-blocks * width, None)
    raw, used = (part[..., 0] for part in _by_stretch(events[..., last], total[..., last], blocks, width))
    degrees = np.maximum(used - 1, 1)
    factor = degrees / (2 * gammaincinv(degrees / 2, 0.10))
    out: Array = np.maximum(raw * factor, 1.0)
    return out


def spread(events: Array, total: Array, interval: float) -> Array:
    """Pearson's φ of 2-min blocks of a usual (the median) half hour; at least 1. Shapes (..., scrapes).

    1 where no half hour counts by at least two thirds.
    """
    raw, used = _by_stretch(events, total, _BLOCKS, _width(interval))
    counts = used >= 2 / 3 * _BLOCKS
    none = ~counts.any(axis=-1)
    counting = np.where(counts, raw, np.nan)[~none]
    out = np.ones(none.shape)
    out[~none] = np.maximum(np.nanmedian(counting, axis=-1), 1.0)
    return out


def least_phi(usual: Array) -> Array:
    """What φ is at least, by the `spread` of the counts: less than that, as most of what moves a rate is tolerated.

    It may grow with traffic as any φ does, which is at least what the spread grown so would give.
    """
    out: Array = usual**_LEAST
    return out


def _width(interval: float) -> int:
    return max(1, round(_BLOCK / interval))


def _by_stretch(events: Array, total: Array, blocks: int, width: int) -> tuple[Array, Array]:
    """(Pearson's φ, blocks with requests) of each stretch of `blocks` blocks of `width` scrapes, (..., stretches),
    against the rate of all its blocks together; the last stretch ends with the history."""
    many = events.shape[-1] // (blocks * width)
    first, shape = events.shape[-1] - many * blocks * width, (*events.shape[:-1], many, blocks, width)
    k, n = (part[..., first:].reshape(shape).sum(axis=-1) for part in (events, total))
    rate = (k.sum(axis=-1) + 0.5) / (n.sum(axis=-1) + 1)
    expected = n * rate[..., None]
    terms = (k - expected) ** 2 / np.maximum(expected * (1 - rate[..., None]), 1e-12)
    used = (n > 0).sum(axis=-1)
    return np.where(n > 0, terms, 0.0).sum(axis=-1) / np.maximum(used - 1, 1), used
