"""Growth, such as a memory leak: does the gauge climb for good, faster than the version before, towards its limit?

Mann-Kendall with Hamed and Rao's correction for autocorrelation ("A modified Mann-Kendall trend test for
autocorrelated data", J. Hydrology 204, 1998), looked at three times a watch; the lower Theil-Sen slope says how fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import sqrt

import numpy as np
from scipy.special import ndtr, ndtri

from watchdog.judge.compare.arrays import Array

LOOKS = (0.5, 0.75, 1.0)
"""Shares of the watch at which it is looked; each with a third of the weight."""
HORIZON = 86400.0
"""Seconds within which the limit must be reached for a rollback; slower only alerts."""
FEWEST = 8
MOST = 60
"""Values that are compared in pairs; of a longer series, means of as many that follow each other."""


@dataclass(frozen=True)
class Trend:
    """What one look finds. Slopes are in the gauge's unit a second; `p` is one-sided, for an upward trend."""

    p: float
    slope: float
    lower_slope: float
    level: float
    flattening: bool

    @property
    def e(self) -> float:
        """.5·p^−.5, which turns any p-value into an e-value (Vovk & Wang)."""
        return float(0.5 * max(self.p, 1e-300) ** -0.5)

    def seconds_to(self, limit: float | None) -> float | None:
        """How long until `limit` at the lower slope; None if it never gets there, or there is no limit."""
        if limit is None or self.lower_slope <= 0:
            return None
        return max(0.0, (limit - self.level) / self.lower_slope)


Look = Callable[[Array, Array], Trend | None]
Trends = Mapping[bytes, Trend | None]
"""By what was looked at: a digest of times and values."""


class Looked:
    """Trends of samples that an earlier look had too are not worked out again: that takes a millisecond a series."""

    def __init__(self, known: Trends) -> None:
        self._known = known
        self.seen: dict[bytes, Trend | None] = {}
        """All that were asked for."""

    def trend(self, times: Array, values: Array) -> Trend | None:
        """As the function `trend`."""
        key = blake2b(times.tobytes() + values.tobytes(), digest_size=16).digest()
        self.seen[key] = self._known[key] if key in self._known else trend(times, values)
        return self.seen[key]


def trend(times: Array, values: Array) -> Trend | None:
    """The trend of `values` at `times` (seconds); NaN is left out; None for fewer than FEWEST values."""
    seen = ~np.isnan(values)
    if seen.sum() < FEWEST:
        return None
    t, x = _means(times[seen]), _means(values[seen])
    s, variance = mann_kendall(x)
    slopes = slopes_between(t, x)
    slope = middle(slopes)
    variance *= hamed_rao(x - slope * t, float(np.abs(x).max()))
    z = (s - np.sign(s)) / sqrt(variance) if variance > 0 else 0.0
    return Trend(float(ndtr(-z)), slope, lower_bound(slopes, variance), float(x[-3:].mean()), _flattens(t, x))


def _means(values: Array) -> Array:
    """At most MOST: themselves, or means of blocks of the same length, without the first ones that fill none.

    A block's mean says what its values say of a trend, with less noise; all pairs of 240 values take a millisecond.
    """
    length = -(-len(values) // MOST)
    if length <= 1:
        return values
    means: Array = values[len(values) % length :].reshape(-1, length).mean(axis=1)
    return means


def mann_kendall(values: Array) -> tuple[float, float]:
    """(S, variance of S with the correction for ties)."""
    n = len(values)
    s = float(np.sign(_pairs(values)).sum())
    _, ties = np.unique(values, return_counts=True)
    return s, float(n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18


def hamed_rao(rest: Array, size: float) -> float:
    """By what the variance of S grows through autocorrelation, at least 1: of the ranks of `rest`, without trend.

    Only lags whose autocorrelation is significant at 5 % count. `size`: that of the largest value; ranks are of what
    differs by a billionth of it.
    """
    n = len(rest)
    ranks = _ranks(np.round(rest / max(size, 1e-300), 9))
    ranks -= ranks.mean()
    full = np.correlate(ranks, ranks, mode="full")[n - 1 :]
    if full[0] <= 0:
        return 1.0
    rho = full / full[0]
    lags = np.arange(1, n - 2)
    weight = (n - lags) * (n - lags - 1.0) * (n - lags - 2)
    significant = np.abs(rho[1 : n - 2]) > ndtri(0.975) / sqrt(n)
    correction = 1 + 2 / (n * (n - 1.0) * (n - 2)) * float((weight * rho[1 : n - 2] * significant).sum())
    return max(correction, 1.0)


def _ranks(values: Array) -> Array:
    """Equal values have the mean of their ranks: a line without any noise has no order left once it is taken out."""
    _, place, many = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(many)
    mean: Array = ends - (many - 1) / 2
    return mean[place]


def slopes_between(times: Array, values: Array) -> Array:
    """The slope between each two, in order of size."""
    slopes: Array = _pairs(values) / _pairs(times)
    slopes.sort()
    return slopes


def middle(slopes: Array) -> float:
    """Theil and Sen's slope, the median of `slopes_between`."""
    return float((slopes[(len(slopes) - 1) // 2] + slopes[len(slopes) // 2]) / 2)


def lower_bound(slopes: Array, variance: float, confidence: float = 0.95) -> float:
    """The lower one-sided bound of that slope, by Sen's ranks with the variance of S."""
    rank = (len(slopes) - float(ndtri(confidence)) * sqrt(variance)) / 2
    return float(slopes[max(0, min(len(slopes) - 1, round(rank) - 1))])


def _pairs(values: Array) -> Array:
    """Each later value less each earlier one."""
    out: Array = (values[None, :] - values[:, None])[~np.tri(len(values), dtype=bool)]
    return out


def _flattens(times: Array, values: Array) -> bool:
    """Whether the last third climbs less than two thirds as fast as the first two: a cache that fills up is no leak."""
    third = len(values) * 2 // 3
    if third < 4 or len(values) - third < 3:
        return False
    early = middle(slopes_between(times[:third], values[:third]))
    late = middle(slopes_between(times[third:], values[third:]))
    return late < early * 2 / 3
