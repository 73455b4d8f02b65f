"""Gates of the tiers: what must also hold for evidence to count. Each only ever takes a trip away.

Shapes as in `tiers`: events (..., tracks, scrapes), total (..., 1, scrapes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from watchdog.judge.compare.arrays import Array, Flags, trailing
from watchdog.judge.compare.eprocess import ln_e

LASTING = 60.0
GROSS_LASTING = 30.0
"""Seconds for which an excess must last: shorter is a blip."""
_RECENT, _BLIP = 120.0, 45.0
_EVIDENT = 0.5
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


def gated(evidence: Array, opened: Flags) -> Array:
    """A gate only ever takes evidence away."""
    return np.where(opened, evidence, np.minimum(evidence, 0.0))


def fine_gates(
    counts: Counts, counted: Counts, p_star: Array, phi: Array, interval: float, start: Array | float = 0.0
) -> Flags:
    """All gates of the fine tier; `counted` is `counts` without the start-up."""
    opened = lasting(counted, p_star, interval, LASTING, start)
    opened &= not_a_blip(counted, p_star, phi, interval)
    opened &= evident_lately(counted, p_star, phi, interval)
    return opened & ~recovering(counts, p_star, phi, interval)


def evident_lately(counts: Counts, p_star: Array, phi: Array, interval: float) -> Flags:
    """Gate: the last two minutes alone are evidence, so that an old blip and later chance are not added up."""
    window = max(1, round(_RECENT / interval))
    k, n = trailing(counts.events, window) / phi, trailing(counts.total, window) / phi
    opened: Flags = ln_e(p_star, k, n) > _EVIDENT
    return opened


def lasting(counts: Counts, bound: Array, interval: float, seconds: float, start: Array | float = 0.0) -> Flags:
    """Gate: the last `seconds`, all after `start`, are over the bound, in each part that is large enough to tell.

    With much traffic the parts are scrapes, with less halves, with little the whole. Parts without requests say
    nothing.
    """
    scrapes = max(1, round(seconds / interval))
    k, n = trailing(counts.events, scrapes), trailing(counts.total, scrapes)
    expected = bound * n
    opened: Flags = k > expected
    opened = opened & (np.arange(1, k.shape[-1] + 1) * interval >= start + scrapes * interval - 1e-6)
    for size in {1, scrapes // 2} - {0, scrapes}:
        parts = scrapes // size
        part_k, part_n = trailing(counts.events, size), trailing(counts.total, size)
        over = (part_k > bound * part_n) | (part_n <= 0)
        every = over.copy()
        for back in range(size, parts * size, size):
            every[..., back:] &= over[..., :-back]
        opened &= every | (expected < parts * _EXPECTED)
    return opened


def not_a_blip(counts: Counts, p_star: Array, phi: Array, interval: float) -> Flags:
    """Gate: without their worst 45 s in a row, the last two minutes are still over p*, by a standard deviation.

    The deviation is asked for where p* lets at least one event (divided by φ) be expected.
    """
    window, blip = max(1, round(_RECENT / interval)), max(1, round(_BLIP / interval))
    expected = p_star * counts.total
    excess = counts.events - expected
    spread = expected * (1 - p_star)
    at_most = np.full(excess.shape, -np.inf)
    rest_expected, rest_spread = np.zeros(excess.shape), np.zeros(excess.shape)
    worst, without, wide = trailing(excess, blip), trailing(expected, blip), trailing(spread, blip)
    for back in range(max(1, window - blip + 1)):
        shifted = [np.roll(part, back, axis=-1) for part in (worst, without, wide)]
        better = (shifted[0] > at_most) & (np.arange(excess.shape[-1]) >= back)
        at_most = np.where(better, shifted[0], at_most)
        rest_expected = np.where(better, shifted[1], rest_expected)
        rest_spread = np.where(better, shifted[2], rest_spread)
    rest = trailing(excess, window) - at_most
    rest_expected = np.maximum(trailing(expected, window) - rest_expected, 0.0)
    rest_spread = np.maximum(trailing(spread, window) - rest_spread, 0.0)
    needed = np.where(rest_expected >= phi, np.sqrt(phi * rest_spread), 0.0)
    opened: Flags = rest > needed + 1e-9
    return opened


def recovering(counts: Counts, p_star: Array, phi: Array, interval: float) -> Flags:
    """Gate: the log rate of the last 6 scrapes falls (z < −2), and 120 s ahead it would be below p*."""
    ages = np.arange(counts.total.shape[-1]) * interval
    seen = np.broadcast_to(counts.total > 0, counts.events.shape)
    y = np.where(seen, np.log((counts.events + 0.5) / (counts.total + 1)), 0.0)
    w = np.where(seen, (counts.events + 0.5) / phi, 0.0)
    sums = [trailing(part, _TREND) for part in (w, w * ages, w * ages**2, w * y, w * y * ages)]
    weight, x, xx, yy, xy = sums
    weight = np.maximum(weight, 1e-12)
    spread = np.maximum(xx - x * x / weight, 1e-12)
    slope = (xy - x * yy / weight) / spread
    ahead = yy / weight + slope * (ages + _AHEAD - x / weight)
    enough = trailing(seen.astype(float), _TREND) >= 3
    falling: Flags = (slope * np.sqrt(spread) < -2) & (ahead < np.log(p_star)) & enough
    return falling
