"""The other ways, on the same scrapes: two kinds of failed checks, bad scrapes in a row, Mann-Whitney, bare e-process.

The thresholds that the first three need are given to them: twice the baseline's error rate, one and a half times its
99th percentile. Each returns when it would roll back: the scrape's end in seconds, NaN for never.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from bench.rollback.services import EDGES, INTERVAL, WATCH, Stretch
from watchdog.judge.compare.arrays import Array, Flags, Whole, trailing
from watchdog.judge.compare.eprocess import ln_e
from watchdog.judge.compare.latency import pick
from watchdog.judge.compare.tiers import LATENCY, RATIO

BASELINE = 120
"""Scrapes: the last 30 min."""
_CHECK = 4
"""Scrapes: a check every 60 s."""
ENDS = np.arange(1, WATCH + 1) * INTERVAL


def first(tripped: Flags) -> Array:
    """When each row is first true, in seconds after the deploy."""
    return np.where(tripped.any(axis=-1), ENDS[tripped.argmax(axis=-1)], np.nan)


def p99(above: Array, total: Array) -> Array:
    """histogram_quantile(0.99, …): (services, edges, scrapes) → (services, scrapes); NaN without requests."""
    share = above / np.maximum(total, 1)[:, None]
    over = share > 0.01
    number = np.minimum(over.sum(axis=1), len(EDGES) - 1)
    high = np.take_along_axis(share, number[:, None], axis=1)[:, 0]
    low = np.take_along_axis(share, np.maximum(number - 1, 0)[:, None], axis=1)[:, 0]
    low = np.where(number == 0, 1.0, low)
    begin = np.where(number == 0, 0.0, EDGES[np.maximum(number - 1, 0)])
    part = np.clip((low - 0.01) / np.maximum(low - high, 1e-12), 0, 1)
    return np.where(total > 0, begin + part * (EDGES[number] - begin), np.nan)


def _summed(stretch: Stretch, scrapes: int) -> tuple[Array, Array]:
    """(error rate, 99th percentile) over the last `scrapes` at each scrape."""
    total = trailing(stretch.requests, scrapes)
    rate = np.where(total > 0, trailing(stretch.errors, scrapes) / np.maximum(total, 1), np.nan)
    return rate, p99(trailing(stretch.above, scrapes), total)


def _bad(before: Stretch, after: Stretch, scrapes: int) -> Flags:
    base_rate = before.errors.sum(axis=-1) / np.maximum(before.requests.sum(axis=-1), 1)
    base_slow = p99(before.above.sum(axis=-1, keepdims=True), before.requests.sum(axis=-1, keepdims=True))
    rate, slow = _summed(after, scrapes)
    bad: Flags = (rate > 2 * base_rate[:, None]) | (slow > 1.5 * base_slow)
    return bad


def failed_checks(before: Stretch, after: Stretch, more_than: int) -> Array:
    """Checks every 60 s over the last 60 s; so many failures in all. Flagger: 5 failed; Argo: more than 3."""
    bad = _bad(before, after, _CHECK)
    at_check = (np.arange(1, WATCH + 1) % _CHECK) == 0
    return first(np.cumsum(bad & at_check, axis=-1) > more_than)


def in_a_row(before: Stretch, after: Stretch, many: int = 3) -> Array:
    """So many bad scrapes in a row."""
    return first(trailing(_bad(before, after, 1).astype(float), many) >= many)


def mann_whitney(before: Stretch, after: Stretch, confidence: float = 0.98, tolerance: float = 1.25) -> Array:
    """After every scrape: are the new scrapes' values over the old ones times the tolerance? One-sided, 4 at least."""
    tripped = np.zeros(after.requests.shape, bool)
    for old, new in zip(_summed(before, 1), _summed(after, 1), strict=True):
        raised = np.where(np.isnan(old), np.inf, old * tolerance)
        seen = ~np.isnan(new)
        wins = (new[:, :, None] > raised[:, None, :]).sum(axis=-1) + 0.5 * (new[:, :, None] == raised[:, None, :]).sum(
            -1
        )
        u, many = np.cumsum(np.where(seen, wins, 0), axis=-1), np.cumsum(seen, axis=-1)
        base = np.isfinite(raised).sum(axis=-1, keepdims=True)
        spread = np.sqrt(np.maximum(many * base * (many + base + 1) / 12, 1e-12))
        tripped |= (ndtr((u - many * base / 2) / spread) > 1 - (1 - confidence) / 2) & (many >= 4)
    return first(tripped)


def bare_evidence(before: Stretch, after: Stretch, edges: Whole, signals: int) -> Array:
    """When an e-process without calibration does: φ = 1, counts from 60 s on, no tiers, no gates, the same budget."""
    total = np.full(after.requests.shape, np.log(0.5))
    n = after.requests.copy()
    n[:, :_CHECK] = 0
    for old, new, tolerance in (
        (before.errors[:, None], after.errors[:, None].copy(), RATIO),
        (pick(before.above, edges), pick(after.above, edges), LATENCY),
    ):
        requests = np.broadcast_to(before.requests.sum(axis=-1)[:, None], old.shape[:2])
        star = tolerance.fine_bound(old.sum(axis=-1), requests, np.ones(1), signals)
        new[..., :_CHECK] = 0
        each = ln_e(star[..., None], np.cumsum(new, axis=-1), np.cumsum(n, axis=-1)[:, None])
        total = np.logaddexp(total, np.log(0.25 / each.shape[1]) + np.logaddexp.reduce(each, axis=1))
    return first(total >= np.log(100))
