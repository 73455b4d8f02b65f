"""The two tiers of a count, scrape by scrape: gross from the first scrape, fine after the start-up, with gates.

Shapes: events (..., tracks, scrapes), total and reach (..., 1, scrapes). A ratio has one track; latency has one for
each bucket edge. Scrape i ends (i + 1)·interval after the deploy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from watchdog.judge.compare.arrays import Array, Flags, trailing
from watchdog.judge.compare.eprocess import ln_e, null_bound

UNLEARNED_START = 60.0
"""Seconds after the deploy that the fine tier leaves out where nothing is known of this service's starts."""
LASTING = 60.0
GROSS_LASTING = 30.0
"""Seconds for which an excess must last: shorter is a blip."""
RENEWED = 120.0
RENEWALS = 8
RENEWED_SHARE = 0.25
"""The fine tier also begins anew every two minutes, so that good minutes do not hide a late fault. Shares add to 1."""
_AHEAD = 120.0
_TREND = 6
_EXPECTED = 5.0
"""A block is looked at alone only where p* lets this many events be expected in it."""


@dataclass(frozen=True)
class Tolerance:
    """What is too small to matter, as factors and absolute amounts on the baseline's rate."""

    times: float
    plus: float
    gross_times: float
    gross_plus: float

    def gross_bound(self, rate: Array) -> Array:
        """The null bound of the gross tier, at most .98."""
        return np.minimum(np.maximum(self.gross_times * rate, rate + self.gross_plus), 0.98)

    def fine_bound(self, events: Array, total: Array, phi: Array, signals: int) -> Array:
        """The null bound p* of the fine tier."""
        return null_bound(events, total, phi, times=self.times, plus=self.plus, signals=signals)


RATIO = Tolerance(times=1.25, plus=0.0005, gross_times=5, gross_plus=0.10)
LATENCY = Tolerance(times=1.15, plus=0.0005, gross_times=4, gross_plus=0.40)


@dataclass(frozen=True)
class Counts:
    """What happened in each scrape. `reach`: how many intervals it covers; 0 where there was no sample."""

    events: Array
    total: Array
    reach: Array


@dataclass(frozen=True)
class Bounds:
    """What a calibration found, (..., tracks) each; `p_star` may have a last axis of scrapes (concurrent pods)."""

    p_star: Array
    phi: Array
    gross_star: Array
    gross_phi: Array
    start: Array
    """(...,) seconds that belong to the start-up."""
    start_peak: Array
    """The highest rate that earlier good deploys showed in it; 0 where unknown."""


@dataclass(frozen=True)
class Course:
    """ln E after each scrape, (..., tracks, scrapes); closed gates hold a tier at 0 or below."""

    gross: Array
    fine: Array
    ungated: Array


def course(counts: Counts, bounds: Bounds, interval: float) -> Course:
    """The evidence of both tiers over time."""
    p_star = bounds.p_star if bounds.p_star.ndim == counts.events.ndim else bounds.p_star[..., None]
    start = bounds.start[..., None, None]
    free = fine_evidence(counts, p_star, bounds.phi[..., None], start, interval)
    opened = lasting(since(counts, start, interval), p_star, interval, LASTING, start)
    opened &= ~recovering(counts, p_star, bounds.phi[..., None], interval)
    return Course(gross=_gross(counts, bounds, interval), fine=gated(free, opened), ungated=free)


def gated(evidence: Array, opened: Flags) -> Array:
    """A gate only ever takes evidence away."""
    return np.where(opened, evidence, np.minimum(evidence, 0.0))


def _gross(counts: Counts, bounds: Bounds, interval: float) -> Array:
    """From the first scrape; where earlier good starts were grosser than the bound, half on a higher bound."""
    plain, phi = bounds.gross_star[..., None], bounds.gross_phi[..., None]
    raised = np.minimum(np.maximum(plain, 1.5 * bounds.start_peak[..., None]), 1.0)
    whole = gross_evidence(counts, raised, phi, interval)
    if not (raised > plain).any():
        return whole
    later = since(counts, bounds.start[..., None, None], interval)
    after = gross_evidence(later, plain, phi, interval)
    both: Array = np.logaddexp(whole, after) - np.log(2)
    return np.where(raised > plain, both, whole)


def gross_evidence(counts: Counts, bound: Array, phi: Array, interval: float) -> Array:
    """ln E of the gross tier, behind its gate."""
    k, n = np.cumsum(counts.events, axis=-1) / phi, np.cumsum(counts.total, axis=-1) / phi
    return gated(ln_e(bound, k, n), lasting(counts, bound, interval, GROSS_LASTING))


def fine_evidence(counts: Counts, p_star: Array, phi: Array, start: Array, interval: float) -> Array:
    """ln E of the fine tier without its gates: the mean over beginnings at the start and every two minutes."""
    counted = since(counts, start, interval)
    k, n = np.cumsum(counted.events, axis=-1) / phi, np.cumsum(counted.total, axis=-1) / phi
    out: Array = np.log1p(-RENEWED_SHARE) + ln_e(p_star, k, n)
    each = np.log(RENEWED_SHARE / RENEWALS)
    for number in range(1, RENEWALS + 1):
        first = round(number * RENEWED / interval)
        part = np.zeros(out.shape)
        if first < k.shape[-1]:
            star = p_star[..., first:] if p_star.shape[-1] > 1 else p_star
            gone = slice(first - 1, first)
            part[..., first:] = ln_e(star, k[..., first:] - k[..., gone], n[..., first:] - n[..., gone])
        out = np.logaddexp(out, each + part)
    return out


def since(counts: Counts, start: Array, interval: float) -> Counts:
    """Only what happened from `start` seconds after the deploy on; a sample that reaches back over it is left out."""
    ends = np.arange(1, counts.total.shape[-1] + 1)
    counted = (ends - counts.reach) * interval >= start - 1e-6
    return Counts(np.where(counted, counts.events, 0.0), np.where(counted, counts.total, 0.0), counts.reach)


def lasting(counts: Counts, bound: Array, interval: float, seconds: float, start: Array | float = 0.0) -> Flags:
    """Gate: the last `seconds`, all after `start`, are over the bound, in each part that is large enough to tell.

    With much traffic the parts are scrapes, with less halves, with little the whole. Parts without requests say
    nothing.
    """
    scrapes = max(1, round(seconds / interval))
    k, n = trailing(counts.events, scrapes), trailing(counts.total, scrapes)
    expected = bound * n
    opened: Flags = k > expected
    opened = opened & (np.arange(1, k.shape[-1] + 1) * interval >= start + scrapes * interval - 1e-6)
    for size in {1, scrapes // 2} - {0, scrapes}:
        parts = scrapes // size
        part_k, part_n = trailing(counts.events, size), trailing(counts.total, size)
        over = (part_k > bound * part_n) | (part_n <= 0)
        every = over.copy()
        for back in range(size, parts * size, size):
            every[..., back:] &= over[..., :-back]
        opened &= every | (expected < parts * _EXPECTED)
    return opened


def recovering(counts: Counts, p_star: Array, phi: Array, interval: float) -> Flags:
    """Gate: the log rate of the last 6 scrapes falls (z < −2), and 120 s ahead it would be below p*."""
    ages = np.arange(counts.total.shape[-1]) * interval
    seen = np.broadcast_to(counts.total > 0, counts.events.shape)
    y = np.where(seen, np.log((counts.events + 0.5) / (counts.total + 1)), 0.0)
    w = np.where(seen, (counts.events + 0.5) / phi, 0.0)
    sums = [trailing(part, _TREND) for part in (w, w * ages, w * ages**2, w * y, w * y * ages)]
    weight, x, xx, yy, xy = sums
    weight = np.maximum(weight, 1e-12)
    spread = np.maximum(xx - x * x / weight, 1e-12)
    slope = (xy - x * yy / weight) / spread
    ahead = yy / weight + slope * (ages + _AHEAD - x / weight)
    enough = trailing(seen.astype(float), _TREND) >= 3
    falling: Flags = (slope * np.sqrt(spread) < -2) & (ahead < np.log(p_star)) & enough
    return falling
