"""The baseline of a count: the shortest trailing window that holds enough events, without incidents and watches.

What people and the store know of incidents comes in as stretches of time; what nobody noted down is found by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from watchdog.judge.compare.arrays import Array, Flags, Whole

WINDOWS = (1800, 7200, 21600, 86400)
"""Seconds before the deploy, tried in this order."""
ENOUGH = 50
"""Events (and as many others) that say something about a rate."""
WANTED = 200
"""Events (and others) that a window should hold: from here on the tolerance, not the doubt about K0, makes p*."""
_BLOCK = 120
"""Seconds over which an unnoted incident must be visible."""
_ORDINARY = 0.02
"""What happens in more than this share of blocks is no incident but this service's life."""


def usable(times: Array, cut: Iterable[tuple[float, float]]) -> Flags:
    """Which moments count: those outside of every stretch (from, until) of `cut`, in the unit of `times`."""
    out = np.ones(times.shape, bool)
    for begin, end in cut:
        out &= (times < begin) | (times > end)
    return out


def without_incidents(events: Array, total: Array, kept: Flags, interval: float) -> Flags:
    """`kept` without stretches of 2 min whose rate is far over the usual one, each with 2 min around it.

    Far: over max(5 times, plus .10) the median rate, by more than 5 standard deviations. Incidents left in the history
    raise φ and p* until nothing can be seen. Shapes (..., scrapes).
    """
    width = max(1, round(_BLOCK / interval))
    blocks = events.shape[-1] // width
    if blocks < 10:
        return kept
    first = events.shape[-1] - blocks * width
    shape = (*events.shape[:-1], blocks, width)
    k = np.where(kept, events, 0)[..., first:].reshape(shape).sum(axis=-1)
    n = np.where(kept, total, 0)[..., first:].reshape(shape).sum(axis=-1)
    rate = np.median(k / np.maximum(n, 1), axis=-1, keepdims=True)
    far = np.minimum(np.maximum(5 * rate, rate + 0.1), 0.99)
    bad = k > far * n + 5 * np.sqrt(np.maximum(far * n, 1))
    bad &= bad.mean(axis=-1, keepdims=True) <= _ORDINARY
    around = bad.copy()
    around[..., 1:] |= bad[..., :-1]
    around[..., :-1] |= bad[..., 1:]
    out = kept.copy()
    out[..., first:] &= ~np.repeat(around, width, axis=-1)
    return out


def window_sums(events: Array, total: Array, ends: Whole, interval: float) -> tuple[Array, Array, Array]:
    """(events, total, seconds) of the shortest window that ends before each scrape number of `ends` and is enough.

    `events` and `total` (..., scrapes) are zero where nothing may count; `ends` (moments,); returns (..., moments).
    Enough is WANTED events and as many others. Where no window is enough it is the longest.
    """
    k_sum, n_sum = _before(events), _before(total)
    chosen_k = chosen_n = seconds = None
    for window in reversed(WINDOWS):
        begins = np.maximum(ends - round(window / interval), 0)
        k = k_sum[..., ends] - k_sum[..., begins]
        n = n_sum[..., ends] - n_sum[..., begins]
        if chosen_k is None or chosen_n is None or seconds is None:
            chosen_k, chosen_n, seconds = k, n, np.full(k.shape, float(window))
            continue
        enough = (k >= WANTED) & (n - k >= WANTED)
        chosen_k, chosen_n = np.where(enough, k, chosen_k), np.where(enough, n, chosen_n)
        seconds = np.where(enough, float(window), seconds)
    assert chosen_k is not None
    assert chosen_n is not None
    assert seconds is not None
    return chosen_k, chosen_n, seconds


def _before(values: Array) -> Array:
    """Element i: the sum of the first i values."""
    out = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=out[..., 1:])
    return out
