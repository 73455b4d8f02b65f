"""The step done once for each deploy: from the history before it to the bounds and φ that the watch is judged by.

The same code for one service or for many at once (leading axis); under a second for a day of 15-s scrapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from watchdog.judge.compare import dispersion
from watchdog.judge.compare.arrays import Array, Flags
from watchdog.judge.compare.baseline import window_sums, without_incidents
from watchdog.judge.compare.tiers import Bounds, Tolerance


@dataclass(frozen=True)
class History:
    """Counts before the deploy, oldest first: events (services, tracks, scrapes), total and kept (services, scrapes).

    `kept` is False within incidents and earlier watches.
    """

    events: Array
    total: Array
    kept: Flags


@dataclass(frozen=True)
class Calibrated:
    """Bounds, and where they came from: the baseline's counts, its window, the placebos; (services, tracks) each."""

    bounds: Bounds
    events: Array
    total: Array
    seconds: Array
    placebos: Array


def calibrate(
    history: History,
    *,
    tolerance: Tolerance,
    watch_seconds: float,
    interval: float,
    signals: int,
    start: Array,
    start_peak: Array,
) -> Calibrated:
    """Bounds and φ of each track. `signals` is how many share a watch; start and start_peak come from `startup`."""
    services, tracks, scrapes = history.events.shape
    total = np.broadcast_to(history.total[:, None, :], history.events.shape)
    kept = np.broadcast_to(history.kept[:, None, :], history.events.shape)
    kept = without_incidents(history.events, total, kept, interval)
    rows = (services * tracks, scrapes)
    k = np.where(kept, history.events, 0.0).reshape(rows)
    n = np.where(kept, total, 0.0).reshape(rows)
    watch = max(1, round(watch_seconds / interval))
    phi, gross_phi, placebos = dispersion.by_placebos(
        k, n, tolerance=tolerance, watch=watch, interval=interval, signals=signals
    )
    few = placebos < dispersion.FEWEST
    if few.any():
        phi[few] = np.maximum(phi[few], dispersion.pearson(k[few], n[few], interval))
    phi = np.maximum(phi, dispersion.least_phi(dispersion.spread(k, n, interval)))
    base_k, base_n, seconds = (part[:, 0] for part in window_sums(k, n, np.array([scrapes]), interval))
    shape = (services, tracks)
    bounds = Bounds(
        p_star=tolerance.fine_bound(base_k, base_n, phi, signals).reshape(shape),
        phi=phi.reshape(shape),
        gross_star=tolerance.gross_bound(base_k / np.maximum(base_n, 1e-9)).reshape(shape),
        gross_phi=gross_phi.reshape(shape),
        start=start,
        start_peak=start_peak,
        usual=_usual(kept.reshape(rows), seconds, base_n, interval).reshape(shape),
    )
    return Calibrated(
        bounds, base_k.reshape(shape), base_n.reshape(shape), seconds.reshape(shape), placebos.reshape(shape)
    )


def _usual(kept: Flags, seconds: Array, requests: Array, interval: float) -> Array:
    """Requests in a scrape of each row's baseline, without the scrapes that are cut out."""
    seen = np.cumsum(kept[..., ::-1], axis=-1)
    last = np.clip(np.round(seconds / interval).astype(int), 1, kept.shape[-1]) - 1
    many = np.take_along_axis(seen, last[..., None], axis=-1)[..., 0]
    out: Array = requests / np.maximum(many, 1)
    return out
