"""Old pods that run beside the new ones are the better baseline: what troubles both is not the new version's doing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from watchdog.judge.compare.baseline import ENOUGH
from watchdog.judge.compare.gates import Counts
from watchdog.judge.compare.tiers import Bounds, Tolerance


def bounds_beside(bounds: Bounds, beside: Counts, tolerance: Tolerance, signals: int) -> Bounds:
    """`bounds` with a p* for each scrape, from the old pods' counts up to it; (..., tracks, scrapes).

    Once the old pods have enough events (and others) since the deploy, p* is theirs alone; before that it is the
    larger of the history's and theirs.
    """
    k, n = np.cumsum(beside.events, axis=-1), np.cumsum(np.broadcast_to(beside.total, beside.events.shape), axis=-1)
    theirs = np.where(n > 0, tolerance.fine_bound(k, n, bounds.phi[..., None], signals), 0.0)
    enough = (k >= ENOUGH) & (n - k >= ENOUGH)
    rate = np.where(n > 0, tolerance.times * k / np.maximum(n, 1) + tolerance.plus, 0.0)
    history = np.maximum(bounds.p_star[..., None], np.minimum(rate, 1.0))
    gross = np.where(n[..., -1] > 0, tolerance.gross_bound(k[..., -1] / np.maximum(n[..., -1], 1)), 0.0)
    return replace(
        bounds,
        p_star=np.where(enough, theirs, history),
        gross_star=np.maximum(bounds.gross_star, gross),
    )
