"""Restarts that nobody ordered: a Poisson e-process against a usual rate of three a day.

The caller leaves out the terminations that the rollout itself ordered.
"""

from __future__ import annotations

import numpy as np

from watchdog.judge.compare.arrays import Array, Like
from watchdog.judge.compare.eprocess import log_mean

USUAL = 3 / 86400
"""Restarts a second that a healthy service may have."""
ALTERNATIVES = np.array([3.0, 10, 30, 100, 300, 1000])


def ln_e(restarts: Like, seconds: Like, usual: float = USUAL) -> Array:
    """ln E of so many restarts in so many seconds (of all instances together, `usual` being for all of them)."""
    k, t = np.asarray(restarts, float)[..., None], np.asarray(seconds, float)[..., None]
    return log_mean(k * np.log(ALTERNATIVES) - (ALTERNATIVES - 1) * usual * t)
