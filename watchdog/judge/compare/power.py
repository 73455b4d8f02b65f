"""What this traffic can show: the smallest effect that a watch would find, and the requests that any test needs."""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from watchdog.judge.compare.arrays import Array, Flags
from watchdog.judge.compare.eprocess import ln_e

_NINE_IN_TEN = 1.2816


def smallest_factor(rate: float, p_star: float, phi: float, requests: float, needed: float) -> float | None:
    """By what factor events must rise so that nine in ten such deploys are found within so many requests.

    `rate` before the deploy (0 counts as half an event); `needed` is the ln E of this tier's share: ln(1/α) and its
    weight. None: no rise at all could be found.
    """
    base = rate or 0.5 / max(requests, 1)

    def found(factor: float) -> bool:
        p = min(1.0, base * factor)
        events = requests * p - _NINE_IN_TEN * sqrt(phi * requests * p * (1 - p))
        return bool(ln_e(p_star, max(events, 0.0) / phi, requests / phi) >= needed)

    low, high = 1.0, 1 / base
    if requests <= 0 or not found(high):
        return None
    for _ in range(60):
        middle = sqrt(low * high)
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


TELLING = 5.0
"""A pass says something where a rise by this factor would have been found with the requests so far."""


def tells(rate: Array, p_star: Array, phi: Array, requests: Array, needed: float) -> Flags:
    """Whether a rise by TELLING of any track would have been found; (..., tracks), `requests` (...,) → (...,)."""
    raised = np.minimum(0.98, TELLING * rate)
    effective = requests[..., None] / phi
    found: Flags = (raised > p_star) & (ln_e(p_star, raised * effective, effective) >= needed)
    told: Flags = np.asarray(found.any(axis=-1))
    return told


def fewest_requests(before: float, after: float, alpha: float, power: float = 0.5) -> float:
    """Requests that any test needs to tell `after` from an exactly known `before`, however it is made.

    Wald's bound for sequential tests: at least [power·ln(power/α) + (1 − power)·ln((1 − power)/(1 − α))] / KL, KL
    being the Kullback-Leibler divergence of one request.
    """
    divergence = after * log(after / before) + (1 - after) * log((1 - after) / (1 - before))
    rest = (1 - power) * log((1 - power) / (1 - alpha)) if power < 1 else 0.0
    return (power * log(power / alpha) + rest) / divergence
