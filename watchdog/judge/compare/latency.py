"""Which bucket edges of a latency histogram are tested: those that split the baseline near 50 %, 10 % and 2 %.

Bucket counts are tested, never an interpolated quantile: a quantile moves in jumps, and its noise is unknown.
"""

from __future__ import annotations

import numpy as np

from watchdog.judge.compare.arrays import Array, Whole

SHARES = (0.5, 0.1, 0.02)
"""Of requests above the edge, before the deploy. The three e-values are averaged."""


def choose_edges(above: Array, total: Array) -> Whole:
    """Numbers of the edges to test, (..., 3): nearest to each of SHARES in log odds, each edge once if there are three.

    `above` (..., edges): requests above each finite edge in the baseline; `total` (...,).
    """
    share = (above + 0.5) / (total[..., None] + 1)
    odds = np.log(share / (1 - share))
    free = odds.shape[-1] >= len(SHARES)
    chosen: list[Whole] = []
    for wanted in SHARES:
        distance = np.abs(odds - np.log(wanted / (1 - wanted)))
        if free:
            for earlier in chosen:
                np.put_along_axis(distance, earlier[..., None], np.inf, axis=-1)
        chosen.append(distance.argmin(axis=-1))
    return np.stack(chosen, axis=-1)


def pick(above: Array, edges: Whole) -> Array:
    """The rows of the chosen edges: `above` (..., edges, scrapes), `edges` (..., 3) → (..., 3, scrapes)."""
    return np.take_along_axis(above, edges[..., None], axis=-2)
