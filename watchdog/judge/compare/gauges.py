"""Gauges such as CPU: is the mean of the one-minute blocks since the deploy too far from the baseline's?

z = (block − median)/scale; a likelihood-ratio mixture against a mean of at most half a scale. Only one direction is
bad. Several views of the same gauge (as it is, per request, against the same time yesterday) must all agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from watchdog.judge.compare.arrays import Array, Like
from watchdog.judge.compare.eprocess import log_mean

BLOCK = 60.0
SHIFTS = np.array([1, 1.5, 2, 3, 4, 6, 9, 14], float)
NULL = 0.5
TOLERANCE = 0.25
"""A mean within this share of the median does no harm, however quiet the gauge is."""
_FARTHEST = 30.0
STEP = 1.5


@dataclass(frozen=True)
class Level:
    """A gauge's baseline, (...,) each; `bound` is the null in scales."""

    median: Array
    scale: Array
    bound: Array
    phi: Array
    placebos: int


def blocks(values: Array, interval: float) -> Array:
    """Means of one-minute blocks along the last axis, NaN left out (all NaN: NaN); an unfinished block is left out."""
    width = max(1, round(BLOCK / interval))
    many = values.shape[-1] // width
    cut = values[..., : many * width].reshape(*values.shape[:-1], many, width)
    seen = ~np.isnan(cut)
    count = seen.sum(axis=-1)
    return np.where(count > 0, np.where(seen, cut, 0).sum(axis=-1) / np.maximum(count, 1), np.nan)


def level_of(history: Array, *, worse: float, watch: int, tolerance: float = TOLERANCE, recent: int = 30) -> Level:
    """The baseline of block means `history` (..., blocks), NaN where cut out; `watch` and `recent` in blocks.

    `worse` is 1 where higher is bad, −1 where lower is. φ: of the watches that the history pretends to hold, each
    against the `recent` blocks before it, the worst may reach E = their number.
    """
    median, scale = _centre(history[..., -recent:])
    bound = _bound(median, scale, tolerance)
    many = max(0, (history.shape[-1] - recent) // watch)
    worst = np.zeros(median.shape)
    for number in range(many):
        end = history.shape[-1] - number * watch
        past = history[..., end - watch - recent : end - watch]
        at, wide = _centre(past)
        course = ln_e(
            worse * (history[..., end - watch : end] - at[..., None]) / wide[..., None], _bound(at, wide, tolerance)
        )
        worst = np.fmax(worst, course.max(axis=-1))
    ratio = worst / max(log(max(many, 2)), 1.0)
    phi = STEP ** np.ceil(np.log(np.maximum(ratio, 1.0)) / log(STEP) - 1e-9)
    return Level(median, scale, bound, phi if many >= 10 else np.maximum(phi, 2.0), many)


def _bound(median: Array, scale: Array, tolerance: float) -> Array:
    return np.maximum(NULL, tolerance * np.abs(median) / scale)


def _centre(history: Array) -> tuple[Array, Array]:
    """(median, max(1.4826·MAD, .3·SD, 2 % of the median)); NaN is left out."""
    missing = np.isnan(history)
    # The plain functions are ten times as fast, and most histories are whole.
    middle, spread = (np.nanmedian, np.nanstd) if missing.any() else (np.median, np.std)
    some = np.where(missing.all(axis=-1, keepdims=True), 0.0, history)
    median = middle(some, axis=-1)
    deviation = 1.4826 * middle(np.abs(some - median[..., None]), axis=-1)
    scale = np.maximum(np.maximum(deviation, 0.3 * spread(some, axis=-1)), 0.02 * np.abs(median))
    return median, np.maximum(scale, 1e-12)


def ln_e(z: Array, bound: Like) -> Array:
    """ln E after each block of `z` (..., blocks), higher being worse; NaN blocks change nothing.

    The alternatives lie SHIFTS − NULL above the bound; each is the likelihood ratio of normal means of unit variance.
    """
    null = np.asarray(bound, float)[..., None]
    seen = ~np.isnan(z)
    over = np.where(seen, np.clip(z - null, -_FARTHEST, _FARTHEST), 0.0)
    total, many = np.cumsum(over, axis=-1)[..., None], np.cumsum(seen, axis=-1)[..., None]
    up = SHIFTS - NULL
    return log_mean(up * total - many * up**2 / 2)


def level_course(values: Array, level: Level, worse: float) -> Array:
    """ln E after each block of block means `values` (..., blocks) since the deploy, divided by φ."""
    z = worse * (values - level.median[..., None]) / level.scale[..., None]
    out: Array = ln_e(z, level.bound) / level.phi[..., None]
    return out


def season_course(values: Array, yesterday: Array, level: Level, worse: float) -> Array:
    """The same test of the difference to `yesterday` at the same time, for services with two days of history.

    A difference has √2 times the noise.
    """
    z = worse * (values - yesterday) / (level.scale[..., None] * np.sqrt(2))
    out: Array = ln_e(z, level.bound / np.sqrt(2)) / level.phi[..., None]
    return out


def agreed(views: list[Array]) -> Array:
    """The evidence of several views of one gauge: the smallest, so that all must agree. The minimum stays valid."""
    out: Array = np.minimum.reduce(views)
    return out
