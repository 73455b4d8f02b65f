"""Evidence that may be looked at after every scrape: a mixture e-process of counts against a null bound.

If events come at a rate of at most p*, the chance that E ever reaches 1/α is at most α, however often it is looked at
(Ville's inequality). Lindon & Malek, "Anytime-valid inference for multinomial count data", arXiv 2011.03567.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv, xlogy

from watchdog.judge.compare.arrays import Array, Like

ALTERNATIVES = np.array([1.3, 1.6, 2, 3, 5, 10, 25, 80, 300])
"""How many times worse than p* the new version may be; all equally likely beforehand."""
CEILING = 0.98
"""No alternative claims that more than this share of requests are events."""
DOUBT = 1e-3
"""The chance that the true rate of the baseline is above p*, shared by the signals of a watch."""
_ALMOST_ONE = 1 - 1e-12


def upper_rate(events: Like, total: Like, phi: Like, signals: int = 1) -> Array:
    """The highest rate that `events` of `total` leave believable (Clopper-Pearson, counts divided by φ); 1 for none."""
    events, total = np.asarray(events, float), np.asarray(total, float)
    others = np.maximum(total - events, 0) / phi
    bound = betaincinv(events / phi + 1, np.maximum(others, 1e-9), 1 - DOUBT / signals)
    out: Array = np.where(others > 0, bound, 1.0)
    return out


def null_bound(events: Like, total: Like, phi: Like, *, times: float, plus: float, signals: int = 1) -> Array:
    """p*: the larger of what the baseline leaves believable and `times` its rate `plus` an absolute amount.

    The maximum, not the product: the second says what is too small to matter, the first what can't be known.
    """
    rate = np.asarray(events, float) / np.maximum(np.asarray(total, float), 1e-9)
    out: Array = np.minimum(np.maximum(upper_rate(events, total, phi, signals), times * rate + plus), 1.0)
    return out


def ln_e(p_star: Like, events: Like, total: Like) -> Array:
    """ln E of `events` of `total` (already divided by φ) against `p_star`; 0 where there is nothing to see.

    p_j = 1 − (1 − p*)·exp(−(m_j − 1)·p*/(1 − p*)), clipped to [p*, CEILING], so E = 1 without events or requests.
    """
    bound = np.minimum(np.asarray(p_star, float), _ALMOST_ONE)[..., None]
    odds = bound / (1 - bound)
    raised = 1 - (1 - bound) * np.exp(-(ALTERNATIVES - 1) * odds)
    p = np.minimum(np.maximum(raised, bound), np.maximum(bound, CEILING))
    loss = np.log((1 - p) / (1 - bound))
    gain = np.log(p / bound) - loss
    k, n = np.asarray(events, float)[..., None], np.asarray(total, float)[..., None]
    return log_mean(k * gain + n * loss)


def log_mean(terms: Array) -> Array:
    """ln of the mean of exp(terms) along the last axis."""
    top = terms.max(axis=-1, keepdims=True)
    mean: Array = np.log(np.exp(terms - top).sum(axis=-1) / terms.shape[-1]) + top[..., 0]
    return mean


def best_ratio(p_star: Like, events: Array, total: Array) -> Array:
    """The largest ln likelihood ratio that any p over p* has: total times the Kullback-Leibler divergence, or 0.

    No mixture of alternatives over p* has more.
    """
    many = np.maximum(total, 1e-12)
    rate = np.minimum(np.maximum(events / many, 0.0), 1.0)
    bound = np.minimum(p_star, _ALMOST_ONE)
    ratio = many * (xlogy(rate, rate / bound) + xlogy(1 - rate, (1 - rate) / (1 - bound)))
    out: Array = np.where(rate > bound, ratio, 0.0)
    return out
