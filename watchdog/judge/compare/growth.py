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
    t, x = times[seen], values[seen]
    if len(x) < FEWEST:
        return None
    s, variance = mann_kendall(x)
    variance *= hamed_rao(t, x)
    z = (s - np.sign(s)) / sqrt(variance) if variance > 0 else 0.0
    slope, lower = theil_sen(t, x, variance)
    return Trend(float(ndtr(-z)), slope, lower, float(x[-3:].mean()), _flattens(t, x))


def mann_kendall(values: Array) -> tuple[float, float]:
    """(S, variance of S with the correction for ties)."""
    n = len(values)
    s = float(np.sign(_pairs(values)).sum())
    _, ties = np.unique(values, return_counts=True)
    return s, float(n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18


def hamed_rao(times: Array, values: Array) -> float:
    """By what the variance of S grows through autocorrelation: at least 1, of the ranks without their trend.

    Only lags whose autocorrelation is significant at 5 % count.
    """
    n = len(values)
    slope, _ = theil_sen(times, values, 0.0)
    rest = values - slope * times
    ranks = _ranks(np.round(rest / max(float(np.abs(values).max()), 1e-300), 9))
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


def theil_sen(times: Array, values: Array, variance: float, confidence: float = 0.95) -> tuple[float, float]:
    """(median slope, its lower one-sided bound by Sen's ranks with the variance of S)."""
    slopes = _pairs(values) / _pairs(times)
    rank = (len(slopes) - float(ndtri(confidence)) * sqrt(variance)) / 2
    place = max(0, min(len(slopes) - 1, round(rank) - 1))
    middle = (len(slopes) - 1) // 2, len(slopes) // 2
    slopes.partition((place, *middle))
    return float((slopes[middle[0]] + slopes[middle[1]]) / 2), float(slopes[place])


def _pairs(values: Array) -> Array:
    """Each later value less each earlier one."""
    out: Array = (values[None, :] - values[:, None])[~np.tri(len(values), dtype=bool)]
    return out


def _flattens(times: Array, values: Array) -> bool:
    """Whether the last third climbs less than two thirds as fast as the first two: a cache that fills up is no leak."""
    third = len(values) * 2 // 3
    if third < 4 or len(values) - third < 3:
        return False
    early, _ = theil_sen(times[:third], values[:third], 0.0)
    late, _ = theil_sen(times[third:], values[third:], 0.0)
    return late < early * 2 / 3
