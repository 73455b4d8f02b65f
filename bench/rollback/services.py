"""Simulated services: a day of scrapes before a deploy, its earlier deploys, and ten minutes after it.

Requests are Poisson, errors and latencies binomial around a rate that moves as the kind of noise says. Latency is
log-normal, seen through seven bucket edges. Everything is drawn for many services at once from one seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import ndtr

from watchdog.judge.compare.arrays import Array

INTERVAL = 15.0
HISTORY = 5760
"""Scrapes: 24 h."""
WATCH = 40
"""Scrapes: 10 min."""
START = 20
"""Scrapes looked at after each earlier deploy: 5 min."""
EARLIER = 5
EDGES = np.array([0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5])
_MEDIAN, _SIGMA = 0.08, 0.8
TAIL = 0.1
"""The slowest share of requests, which a fault of the tail alone makes slower."""


@dataclass(frozen=True)
class Noise:
    """How the true rates of a healthy service move. Standard deviations of logarithms; seconds."""

    name: str
    errors: float = 0.0
    latency: float = 0.0
    traffic: float = 0.0
    memory: float = 180.0
    burst_every: float = 0.0
    burst_errors: float = 1.0
    burst_latency: float = 1.0
    burst_lasts: float = 45.0


NOISES = (
    Noise("binomial"),
    Noise("over-dispersed", errors=0.45, latency=0.12, traffic=0.2, memory=30),
    Noise("slow and bursty", 0.2, 0.04, 0.3, memory=300, burst_every=3600, burst_errors=4, burst_latency=1.25),
)


@dataclass(frozen=True)
class Moves:
    """Factors on a stretch's rates, each broadcast to (services, scrapes)."""

    errors: Array = field(default_factory=lambda: np.ones(1))
    latency: Array = field(default_factory=lambda: np.ones(1))
    tail: Array = field(default_factory=lambda: np.ones(1))
    traffic: Array = field(default_factory=lambda: np.ones(1))

    def times(self, other: Moves) -> Moves:
        """Both at once."""
        return Moves(
            self.errors * other.errors,
            self.latency * other.latency,
            self.tail * other.tail,
            self.traffic * other.traffic,
        )


@dataclass(frozen=True)
class Stretch:
    """What was counted: requests and errors (services, scrapes), requests above (services, edges, scrapes)."""

    requests: Array
    errors: Array
    above: Array
    reach: Array

    def last(self, scrapes: int) -> Stretch:
        """The end of it."""
        return Stretch(*(part[..., -scrapes:] for part in (self.requests, self.errors, self.above, self.reach)))


def wander(rng: np.random.Generator, noise: Noise, services: int, scrapes: int) -> Moves:
    """How the rates of healthy services move by themselves."""
    parts = {
        "errors": _slow(rng, noise.errors, noise.memory, services, scrapes),
        "latency": _slow(rng, noise.latency, noise.memory, services, scrapes),
        "traffic": _slow(rng, noise.traffic, noise.memory, services, scrapes),
    }
    moves = Moves(**{name: np.exp(part) for name, part in parts.items()})
    if noise.burst_every:
        burst = bursts(rng, noise.burst_every, noise.burst_lasts, services, scrapes)
        moves = moves.times(
            Moves(errors=1 + burst * (noise.burst_errors - 1), latency=1 + burst * (noise.burst_latency - 1))
        )
    return moves


def _slow(rng: np.random.Generator, sigma: float, memory: float, services: int, scrapes: int) -> Array:
    """A stationary first-order autoregression with mean −sigma²/2, so that its exponential has mean 1."""
    if not sigma:
        return np.zeros((services, 1))
    kept = np.exp(-INTERVAL / memory)
    steps = rng.standard_normal((scrapes, services))
    out = np.empty_like(steps)
    out[0] = steps[0]
    scale = np.sqrt(1 - kept**2)
    for i in range(1, scrapes):
        out[i] = kept * out[i - 1] + scale * steps[i]
    return np.ascontiguousarray(sigma * out.T - sigma**2 / 2)


def bursts(rng: np.random.Generator, every: float, lasts: float, services: int, scrapes: int) -> Array:
    """The share of each scrape that lies within a burst: they begin at random, and last an exponential time."""
    begins = rng.random((services, scrapes)) < INTERVAL / every
    left = np.where(begins, rng.exponential(lasts, begins.shape), 0.0)
    out = np.zeros((services, scrapes))
    running = np.zeros(services)
    for i in range(scrapes):
        running = np.maximum(running, left[:, i])
        out[:, i] = np.minimum(running, INTERVAL) / INTERVAL
        running = np.maximum(running - INTERVAL, 0.0)
    return out


def observe(rng: np.random.Generator, rate: float, base: float, moves: Moves, services: int, scrapes: int) -> Stretch:
    """Counts of a stretch: `rate` requests a second, a share `base` of them errors, times `moves`."""
    shape = (services, scrapes)
    requests = rng.poisson(np.broadcast_to(rate * INTERVAL * moves.traffic, shape))
    errors = rng.binomial(requests, np.broadcast_to(np.minimum(base * moves.errors, 0.99), shape))
    above = np.empty((services, len(EDGES), scrapes))
    left, before = requests, np.ones(shape)
    for number, edge in enumerate(EDGES):
        share = np.broadcast_to(slower(edge, moves), shape)
        left = rng.binomial(left, np.clip(share / np.maximum(before, 1e-300), 0.0, 1.0))
        above[:, number], before = left, share
    return Stretch(requests.astype(float), errors.astype(float), above, np.ones(shape))


def slower(edge: float, moves: Moves) -> Array:
    """The share of requests slower than `edge` seconds; the tail's factor only slows the slowest TAIL of them."""
    moved = np.log(edge / _MEDIAN) - np.log(moves.latency)
    whole = ndtr(-moved / _SIGMA)
    slow = np.minimum(ndtr(-(moved - np.log(moves.tail)) / _SIGMA), TAIL)
    out: Array = np.maximum(whole, slow)
    return out


def missing(stretch: Stretch, gone: Array) -> Stretch:
    """As seen where the scrapes in `gone` are missing: the next one that is there has all since the last."""
    seen = ~gone.astype(bool)
    numbers = np.where(seen, np.arange(seen.shape[1]), -1)
    last = np.maximum.accumulate(numbers, axis=1)
    before = np.concatenate((np.full((len(seen), 1), -1), last[:, :-1]), axis=1)

    def gathered(values: Array) -> Array:
        total = np.concatenate((np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)), axis=-1)
        places, there = before + 1, seen
        if values.ndim == 3:
            places, there = np.broadcast_to(places[:, None], values.shape), seen[:, None]
        return np.where(there, total[..., 1:] - np.take_along_axis(total, places, axis=-1), 0.0)

    reach = np.where(seen, np.arange(seen.shape[1]) - before, 0).astype(float)
    return replace(
        stretch,
        requests=gathered(stretch.requests),
        errors=gathered(stretch.errors),
        above=gathered(stretch.above),
        reach=reach,
    )
