"""The type of all arrays here: doubles, time along the last axis, any number of leading axes (many watches at once)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]
Like = Array | float


def trailing(values: Array, scrapes: int) -> Array:
    """Sums over the last `scrapes` along the last axis; at the beginning over as many as there are."""
    return windows(np.cumsum(values, axis=-1), scrapes)


def windows(total: Array, scrapes: int) -> Array:
    """The same from sums since the beginning."""
    out = total.copy()
    if scrapes < total.shape[-1]:
        out[..., scrapes:] -= total[..., :-scrapes]
    return out


def summed(values: Array) -> Array:
    """Sums before each scrape, and one of all: (..., scrapes + 1), 0 in front."""
    out = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=out[..., 1:])
    return out


def _before_each(begins: Whole, sums: Array) -> Array:
    """`summed` values up to each of the scrapes `begins`, (begins, ..., 1)."""
    found: Array = sums[..., np.minimum(begins, sums.shape[-1] - 1)]
    return found.transpose(-1, *range(sums.ndim - 1))[..., None]


def since_each(begins: Whole, sums: Array, first: int) -> Array:
    """What came since each of the scrapes `begins`, (begins, ..., scrapes from `first` on), from `summed` counts; 0
    before it."""
    out: Array = np.maximum(sums[..., first + 1 :] - _before_each(begins, sums), 0.0)
    return out


def after(values: Array, first: int) -> Array:
    """From scrape number `first` on; a last axis of 1 is the same at all scrapes, and stays."""
    return values[..., first:] if values.shape[-1] > 1 else values


def plain(values: Any) -> tuple[float, ...]:
    """Numbers that can be stored as JSON."""
    return tuple(np.asarray(values, float).tolist())
