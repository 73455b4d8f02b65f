"""All signals together: a weighted mean of e-values, which is one again whatever their dependence (Vovk & Wang).

Roll back where it reaches 1/α. The weights are fixed before the first look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp, log

import numpy as np

from watchdog.judge.compare.arrays import Array

BUDGET = 0.01
"""α: false rollbacks in a hundred good deploys that are accepted, where noise is stationary and binomial."""
GROSS_SHARE = 0.1
"""Of a signal's weight. What is gross shows it in a few requests; the fine tier is what needs its share."""
GROUPS = ("errors", "latency", "failures", "gauges")
"""`failures` are restarts and probes."""
LENT_SHARE = 1 / len(GROUPS)
"""At most this much is that of `failures`: they have rules of their own, and only support what was compared."""


def group_weights(groups: Iterable[str]) -> dict[str, float]:
    """Equal weights over the groups that have a signal, but for the bound on `failures`."""
    known = [name for name in GROUPS if name in set(groups)]
    if "failures" not in known or len(known) == 1:
        return {name: 1 / len(known) for name in known}
    compared = (1 - LENT_SHARE) / (len(known) - 1)
    return {name: LENT_SHARE if name == "failures" else compared for name in known}


def signal_weights(signals: Mapping[str, str]) -> dict[str, float]:
    """Each signal's share of the budget: its group's, divided equally; `signals` is name → group."""
    weights = group_weights(signals.values())
    many = {group: sum(1 for each in signals.values() if each == group) for group in weights}
    return {name: weights[group] / many[group] for name, group in signals.items()}


def pooled(courses: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """ln of Σ weight·E over signals; each course is ln E over time, (..., looks)."""
    terms = [log(weights[name]) + course for name, course in courses.items()]
    out: Array = np.logaddexp.reduce(terms)
    return out


def both_tiers(gross: Array, fine: Array) -> Array:
    """ln E of a count signal (…, looks): its tiers by their shares, averaged over its tracks (…, tracks, looks)."""
    each = np.logaddexp(np.log(GROSS_SHARE) + gross, np.log1p(-GROSS_SHARE) + fine)
    top = each.max(axis=-2, keepdims=True)
    out: Array = np.log(np.exp(each - top).mean(axis=-2)) + top[..., 0, :]
    return out


def needed(budget: float = BUDGET) -> float:
    """ln E at which it is rolled back."""
    return log(1 / budget)


def chance(ln_e: float) -> float:
    """The largest chance that a good version shows evidence as strong at any look."""
    return min(1.0, exp(-ln_e))
