"""Failing probes: a Bernoulli e-process against a failure rate of at least 2 %.

The caller counts nothing before the first readiness: never ready within the rollout's deadline is a rule of its own.
"""

from __future__ import annotations

import numpy as np

from watchdog.judge.compare.arrays import Array, Like
from watchdog.judge.compare.eprocess import log_mean

FLOOR = 0.02
ALTERNATIVES = np.array([0.1, 0.3, 0.6, 0.95])


def ln_e(failures: Like, probes: Like, usual: Like = FLOOR) -> Array:
    """ln E of so many failures among so many probes; `usual` is the failure rate of the version before."""
    null = np.clip(np.asarray(usual, float), FLOOR, ALTERNATIVES[-1])[..., None]
    p = np.maximum(ALTERNATIVES, null)
    k, n = np.asarray(failures, float)[..., None], np.asarray(probes, float)[..., None]
    return log_mean(k * np.log(p / null) + (n - k) * np.log((1 - p) / (1 - null)))
