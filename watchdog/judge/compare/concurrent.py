"""Old pods that run beside the new ones are the better baseline: what troubles both is not the new version's doing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from watchdog.judge.compare.arrays import Array
from watchdog.judge.compare.baseline import ENOUGH
from watchdog.judge.compare.gates import Counts
from watchdog.judge.compare.tiers import RENEWALS, RENEWED, Bounds, Tolerance


def bounds_beside(bounds: Bounds, beside: Counts, tolerance: Tolerance, signals: int, interval: float) -> Bounds:
    """`bounds` with a p* for each scrape, from the old pods' counts up to it; (..., tracks, scrapes).

    Once the old pods have enough events (and others) since the deploy, p* is theirs alone; before that it is the
    larger of the history's and theirs. It is at least theirs since each beginning of the fine tier: what begins late
    for all pods is in the new ones' counts at once, and in the old ones' since the deploy only by and by.
    """
    k, n = np.cumsum(beside.events, axis=-1), np.cumsum(np.broadcast_to(beside.total, beside.events.shape), axis=-1)
    whole = _bound(bounds, k, n, tolerance, signals, bounds.p_star[..., None])
    p_star = whole
    for first in _beginnings(bounds, k.shape[-1], interval):
        part = _bound(bounds, k - k[..., first - 1, None], n - n[..., first - 1, None], tolerance, signals, whole)
        p_star = np.where(np.arange(k.shape[-1]) >= first, np.maximum(p_star, part), p_star)
    gross = np.where(n[..., -1] > 0, tolerance.gross_bound(k[..., -1] / np.maximum(n[..., -1], 1)), 0.0)
    return replace(bounds, p_star=p_star, gross_star=np.maximum(bounds.gross_star, gross))


def _beginnings(bounds: Bounds, scrapes: int, interval: float) -> list[int]:
    """The scrapes from which on the fine tier counts, but for the very first."""
    starts = {round(float(seconds) / interval) for seconds in np.ravel(bounds.start)}
    renewed = {round(number * RENEWED / interval) for number in range(1, RENEWALS + 1)}
    return sorted(first for first in starts | renewed if 0 < first < scrapes)


def _bound(bounds: Bounds, k: Array, n: Array, tolerance: Tolerance, signals: int, otherwise: Array) -> Array:
    """p* by `k` of `n` of the old pods; where they are too few, the larger of `otherwise` and what they suggest."""
    some = n > 0
    theirs = np.where(some, tolerance.fine_bound(k, n, bounds.phi[..., None], signals), 0.0)
    rate = np.where(some, tolerance.times * k / np.maximum(n, 1) + tolerance.plus, 0.0)
    enough = (k >= ENOUGH) & (n - k >= ENOUGH)
    return np.where(enough, theirs, np.maximum(otherwise, np.minimum(rate, 1.0)))
