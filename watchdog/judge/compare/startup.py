"""A service's usual start-up, learnt from its earlier good deploys: how long it takes, and how bad it looks meanwhile.

Cold caches and compilers make a good version look bad for a while. With three earlier good deploys the fine tier
begins where they had settled (at once, if they never looked bad); with fewer it leaves out the first minute.
"""

from __future__ import annotations

import numpy as np

from watchdog.judge.compare.arrays import Array, Flags, trailing
from watchdog.judge.compare.eprocess import ln_e
from watchdog.judge.compare.tiers import UNLEARNED_START

LOOKED_AT = 300.0
"""Seconds after an earlier deploy in which its start-up is sought."""
ENOUGH = 3
"""Earlier good deploys from which the usual start is believed."""
_WINDOW = 30.0
_QUIET = 60.0
_SEEN = 3.0
"""ln E over 30 s from which the service counts as not yet settled."""


def learn(events: Array, total: Array, p_star: Array, phi: Array, interval: float) -> tuple[Array, Array]:
    """(seconds that belong to the start, highest rate in it by track) of a service.

    `events` (..., deploys, tracks, scrapes) and `total` (..., deploys, 1, scrapes): the first minutes of earlier good
    deploys; `p_star` (..., deploys, tracks): the null bound before each; `phi` (..., tracks).
    Returns (...,) and (..., tracks). The start is 1.5 times the longest seen plus a scrape: the next may take longer.
    """
    deploys = events.shape[-3]
    scrapes = min(events.shape[-1], round(LOOKED_AT / interval))
    if not deploys or not scrapes:
        return unlearned(events.shape[:-3], events.shape[-2])
    k, n = events[..., :scrapes], np.broadcast_to(total[..., :scrapes], (*events.shape[:-1], scrapes))
    width = max(1, round(_WINDOW / interval))
    scale = phi[..., None, :, None]
    each = ln_e(p_star[..., None], trailing(k, width) / scale, trailing(n, width) / scale) > _SEEN
    # Deploys with little traffic show their common start only together.
    k_all, n_all = trailing(k.sum(axis=-3), width), trailing(n.sum(axis=-3), width)
    together = ln_e(p_star.max(axis=-2)[..., None], k_all / phi[..., None], n_all / phi[..., None]) > _SEEN
    unsettled: Flags = np.asarray(each.any(axis=(-3, -2)) | together.any(axis=-2))
    ages = np.arange(1, scrapes + 1) * interval
    longest = _settled_after(unsettled, ages)
    start = np.where(longest > 0, 1.5 * longest + interval, 0.0)
    rate = trailing(k, width) / np.maximum(trailing(n, width), 1)
    within = ages <= longest[..., None]
    highest = np.where(within[..., None, None, :], rate, 0.0).max(axis=(-3, -1))
    if deploys < ENOUGH:
        known, none = unlearned(start.shape, events.shape[-2])
        return np.maximum(start, known), np.maximum(highest, none)
    return start, highest


def _settled_after(unsettled: Flags, ages: Array) -> Array:
    """The end of the unsettled stretch that begins with the deploy; what comes after a quiet minute is no start."""
    longest = np.zeros(unsettled.shape[:-1])
    for number, age in enumerate(ages):
        goes_on = unsettled[..., number] & (age - longest <= _QUIET)
        longest = np.where(goes_on, age, longest)
    return longest


def unlearned(shape: tuple[int, ...], tracks: int) -> tuple[Array, Array]:
    """What is assumed of a service of which nothing is known: a first minute in which latency means nothing."""
    return np.full(shape, UNLEARNED_START), np.full((*shape, tracks), 1.0 if tracks > 1 else 0.0)
