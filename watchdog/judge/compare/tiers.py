"""The two tiers of a count, scrape by scrape: gross from the first scrape, fine after the start-up, with gates.

Shapes: events (..., tracks, scrapes), total and reach (..., 1, scrapes). A ratio has one track; latency has one for
each bucket edge. Scrape i ends (i + 1)·interval after the deploy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from watchdog.judge.compare.arrays import Array, Whole, after
from watchdog.judge.compare.eprocess import ln_e, null_bound
from watchdog.judge.compare.gates import GROSS_LASTING, Begun, Counts, fine_gates, gated, lasting, not_a_blip

UNLEARNED_START = 60.0
"""Seconds after the deploy that the fine tier leaves out where nothing is known of this service's starts."""
RENEWED = 120.0
RENEWALS = 8
RENEWED_SHARE = 0.2
"""The fine tier also begins anew every two minutes, so that good minutes do not hide a late fault. Shares add to 1."""
_LN_SHARES = np.log([1 - RENEWED_SHARE] + [RENEWED_SHARE / RENEWALS] * RENEWALS)
_AT_ONCE = 4_000
"""Counts of several beginnings that are judged in one call: few fit into the processor's cache."""


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
    usual: Array
    """Requests in a scrape before the deploy: φ grows with traffic, as what moves the rate moves all requests."""


@dataclass(frozen=True)
class Course:
    """ln E after each scrape, (..., tracks, scrapes); closed gates hold a tier at 0 or below."""

    gross: Array
    fine: Array


def course(counts: Counts, bounds: Bounds, interval: float, known: Course | None = None) -> Course:
    """The evidence of both tiers over time. `known`: that of some of the first scrapes, from an earlier look at the
    same counts; what happens later changes nothing of it."""
    p_star = bounds.p_star if bounds.p_star.ndim == counts.events.ndim else bounds.p_star[..., None]
    start = bounds.start[..., None, None]
    traffic = busier(counts, bounds.usual)
    phi = 1 + (bounds.phi[..., None] - 1) * traffic
    first = 0 if known is None else known.fine.shape[-1]
    counted = since(counts, start, interval)
    fine = fine_evidence(counted, p_star, phi, interval, first)
    if (fine > 0).any():
        fine = gated(fine, fine_gates(counts, counted, p_star, phi, interval, start, first))
    gross = _gross(counts, counted, bounds, interval, traffic, 0 if known is None else known.gross.shape[-1])
    if known is None:
        return Course(gross, fine)
    return Course(np.concatenate((known.gross, gross), axis=-1), np.concatenate((known.fine, fine), axis=-1))


def busier(counts: Counts, usual: Array) -> Array:
    """How many times the usual traffic there has been since the deploy, (..., tracks, scrapes); at least 1.

    What of φ is over 1 grows with the requests a scrape. It is not lower where there is less traffic.
    """
    many = np.cumsum(counts.total, axis=-1) / np.maximum(np.cumsum(counts.reach, axis=-1), 1)
    out: Array = np.maximum(many / np.maximum(usual[..., None], 1e-9), 1.0)
    return out


def _gross(counts: Counts, counted: Counts, bounds: Bounds, interval: float, traffic: Array, first: int) -> Array:
    """From the first scrape; where earlier good starts were grosser than the bound, half on a higher bound, and half
    without the start-up (`counted`)."""
    plain, phi = bounds.gross_star[..., None], 1 + (bounds.gross_phi[..., None] - 1) * traffic
    raised = np.minimum(np.maximum(plain, 1.5 * bounds.start_peak[..., None]), 1.0)
    whole = gross_evidence(counts, raised, phi, interval, first)
    if not (raised > plain).any():
        return whole
    later = gross_evidence(counted, plain, phi, interval, first)
    both: Array = np.logaddexp(whole, later) - np.log(2)
    return np.where(raised > plain, both, whole)


def gross_evidence(counts: Counts, bound: Array, phi: Array, interval: float, first: int = 0) -> Array:
    """ln E of the gross tier, behind its gate; only for the scrapes from number `first` on."""
    if (bound >= 1).all():  # no rate is over it
        return np.zeros((*counts.events.shape[:-1], counts.total.shape[-1] - first))
    k, n = (np.cumsum(part, axis=-1)[..., first:] / after(phi, first) for part in (counts.events, counts.total))
    evidence = ln_e(bound, k, n)
    if not (evidence > 0).any():
        return evidence
    return gated(evidence, lasting(counts, bound, interval, GROSS_LASTING, first=first))


def fine_evidence(counted: Counts, p_star: Array, phi: Array, interval: float, first: int = 0) -> Array:
    """ln E of the fine tier: the mean over beginnings at the start and every two minutes after the deploy; only for
    the scrapes from number `first` on. `counted` is without the start-up.

    Each beginning has its own gate against blips; the gates for all of them are not applied here.
    """
    begins = np.array([0, *(round(n * RENEWED / interval) for n in range(1, RENEWALS + 1))])
    begun = int(np.searchsorted(begins, max(1, counted.total.shape[-1])))
    many = max(1, _AT_ONCE // max(1, counted.events[..., first:].size))
    axes = [1] * counted.events.ndim
    out: Array = np.logaddexp.reduce(_LN_SHARES[begun:])  # nothing has happened since those: E = 1
    for at in range(0, begun, many):
        part = _from(begins[at : min(at + many, begun)], counted, p_star, phi, interval, first)
        weighted = part + _LN_SHARES[at : at + len(part)].reshape(-1, *axes)
        out = np.logaddexp(out, np.logaddexp.reduce(weighted, axis=0))
    return out


def _from(begins: Whole, counts: Counts, p_star: Array, phi: Array, interval: float, first: int) -> Array:
    """ln E of what happened from each of the scrapes `begins` on, (begins, ..., tracks, scrapes from `first` on); 0
    before it."""
    begun, scale = Begun.of(counts, begins, first), after(phi, first)
    evidence = ln_e(after(p_star, first), begun.k / scale, begun.n / scale)
    speaks = np.flatnonzero((evidence > 0).any(axis=tuple(range(1, evidence.ndim))))
    if speaks.size:  # else a gate would change nothing: most scrapes of most watches
        opened = not_a_blip(begun.some(speaks), counts, p_star, phi, interval)
        evidence[speaks] = gated(evidence[speaks], opened)
    return evidence


def since(counts: Counts, start: Array, interval: float) -> Counts:
    """Only what happened from `start` seconds after the deploy on; a sample that reaches back over it is left out."""
    ends = np.arange(1, counts.total.shape[-1] + 1)
    counted = (ends - counts.reach) * interval >= start - 1e-6
    return Counts(np.where(counted, counts.events, 0.0), np.where(counted, counts.total, 0.0), counts.reach)
