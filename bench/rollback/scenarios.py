"""The deploys of the bench: what each does to its service, and what came before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from bench.rollback.services import INTERVAL, START, WATCH, Moves
from watchdog.judge.compare.arrays import Array

AGES = np.arange(WATCH) * INTERVAL
BASE = 0.01
QUIET = 0.001
Past = Literal["plain", "quiet", "daily", "incident", "outage", "neighbour"]
Starts = Literal["normal", "cold", "unknown", "ignored"]
Draw = Callable[[np.random.Generator, int], Moves]
Mask = Callable[[np.random.Generator, int], Array]


def _still(_rng: np.random.Generator, _many: int) -> Moves:
    return Moves()


@dataclass(frozen=True)
class Scenario:
    """One kind of deploy. `gone` are scrapes that are missing; `kept` the share of a scrape's counts that survives."""

    name: str
    bad: bool
    moves: Draw = _still
    past: Past = "plain"
    starts: Starts = "normal"
    gone: Mask | None = None
    kept: Mask | None = None
    cpu: float = 1.0
    memory: Draw | None = None
    restarts: Mask | None = None
    failing_probes: float = 0.002
    only: tuple[str, ...] = field(default=())
    """Signals that this scenario is about, for the reader."""


def step(errors: float = 1, latency: float = 1, tail: float = 1, traffic: float = 1, onset: float = 0) -> Draw:
    """Factors from `onset` seconds after the deploy on."""
    on = (onset <= AGES)[None].astype(float)

    def moves(_rng: np.random.Generator, _many: int) -> Moves:
        return Moves(*(1 + on * (factor - 1) for factor in (errors, latency, tail, traffic)))

    return moves


def cold(rng: np.random.Generator, many: int, scrapes: int = WATCH) -> Moves:
    """Latency ×3 and errors ×5 at first, normal after 30 to 90 s."""
    lasts = rng.uniform(30, 90, (many, 1))
    left = np.clip(1 - (np.arange(scrapes) + 0.5) * INTERVAL / lasts, 0, 1)
    return Moves(errors=1 + 4 * left, latency=1 + 2 * left)


def cold_start_of(rng: np.random.Generator, many: int) -> Moves:
    """The first minutes of an earlier deploy of such a service."""
    return cold(rng, many, START)


def _cold_and_bad(rng: np.random.Generator, many: int) -> Moves:
    return cold(rng, many).times(step(errors=5)(rng, many))


def _within(rng: np.random.Generator, many: int, lasts: float) -> Array:
    """The share of each scrape that lies within a stretch at a random time of the watch."""
    begin = rng.uniform(0, WATCH * INTERVAL - lasts, (many, 1))
    share: Array = np.minimum(AGES + INTERVAL, begin + lasts) - np.maximum(AGES, begin)
    within: Array = np.clip(share / INTERVAL, 0, 1)
    return within


def _blip(rng: np.random.Generator, many: int) -> Moves:
    on = _within(rng, many, 30)
    return Moves(errors=1 + 4 * on, latency=1 + on)


def _neighbour(rng: np.random.Generator, many: int) -> Moves:
    on = _within(rng, many, 120)
    return Moves(errors=1 + 0.5 * on, latency=1 + 0.25 * on)


def _leak(rng: np.random.Generator, many: int) -> Moves:
    minutes = AGES / 60
    return Moves(traffic=1 + rng.uniform(0.01, 0.1, (many, 1)) * minutes)


def _levels_off(rng: np.random.Generator, many: int) -> Moves:
    return Moves(traffic=1 + 0.4 * (1 - np.exp(-AGES / rng.uniform(60, 180, (many, 1)))))


def _missing(share: float) -> Mask:
    return lambda rng, many: (rng.random((many, WATCH)) < share).astype(float)


def _two_minutes(rng: np.random.Generator, many: int) -> Array:
    first = rng.integers(2, WATCH - 10, (many, 1))
    number = np.arange(WATCH)
    return ((number >= first) & (number < first + 8)).astype(float)


def _reset(rng: np.random.Generator, many: int) -> Array:
    hit = np.arange(WATCH) == rng.integers(0, WATCH, (many, 1))
    return np.where(hit, rng.random((many, WATCH)), 1.0)


def _churn(rng: np.random.Generator, many: int) -> Array:
    hit = rng.random((many, WATCH)) < 3 / WATCH
    return np.where(hit, 1 - 0.25 * rng.random((many, WATCH)), 1.0)


def _crash_loop(rng: np.random.Generator, many: int) -> Array:
    """One pod; each start fails after 2 s, the back-off doubles from 10 s to 5 min."""
    ages = np.cumsum([2.0, 12, 22, 42, 82, 162, 302])
    jitter = rng.uniform(0.9, 1.1, (many, 1)) * ages
    return np.stack([np.histogram(row, bins=np.arange(WATCH + 1) * INTERVAL)[0] for row in jitter]).astype(float)


def _out_of_memory(rng: np.random.Generator, many: int) -> Array:
    gaps = rng.uniform(70, 130, (many, 10)).cumsum(axis=1)
    return np.stack([np.histogram(row, bins=np.arange(WATCH + 1) * INTERVAL)[0] for row in gaps]).astype(float)


BAD = (
    Scenario("errors 1→5 %", True, step(errors=5)),
    Scenario("errors 1→2 %", True, step(errors=2)),
    Scenario("errors 1→30 %", True, step(errors=30)),
    Scenario("errors .1→1 %", True, step(errors=10), past="quiet"),
    Scenario("latency ×1.2", True, step(latency=1.2)),
    Scenario("latency ×1.5", True, step(latency=1.5)),
    Scenario("latency ×3", True, step(latency=3)),
    Scenario("tail ×1.5", True, step(tail=1.5)),
    Scenario("tail ×3", True, step(tail=3)),
    Scenario("1→5 % after 2 min", True, step(errors=5, onset=120)),
    Scenario("1→5 % after 5 min", True, step(errors=5, onset=300)),
    Scenario("1→5 % after 8 min", True, step(errors=5, onset=480)),
    Scenario("one of 4 pods at 10 %", True, step(errors=3.25)),
    Scenario("1→5 %, incident in the history", True, step(errors=5), past="incident"),
    Scenario("1→5 %, slow starter", True, _cold_and_bad, starts="cold"),
    Scenario("1→5 %, starts unknown", True, step(errors=5), starts="unknown"),
    Scenario("memory leak 1–10 %/min", True, memory=_leak),
    Scenario("crash loop", True, restarts=_crash_loop, failing_probes=0.5),
    Scenario("out of memory", True, restarts=_out_of_memory),
    Scenario("CPU ×2", True, cpu=2.0),
    Scenario("loss of traffic", True, step(traffic=0.01)),
)
GOOD = (
    Scenario("nothing changes", False, memory=_still),
    Scenario("cold start, learnt", False, cold, starts="cold"),
    Scenario("cold start, unknown", False, cold, starts="unknown"),
    Scenario("nothing changes, starts unknown", False, starts="unknown"),
    Scenario("30-s blip", False, _blip),
    Scenario("traffic ×3", False, step(traffic=3)),
    Scenario("traffic ×1/3", False, step(traffic=1 / 3)),
    Scenario("time of day", False, past="daily"),
    Scenario("noisy neighbour", False, _neighbour, past="neighbour"),
    Scenario("an outage before", False, past="outage"),
    Scenario("10 % of scrapes missing", False, gone=_missing(0.1)),
    Scenario("50 % of scrapes missing", False, gone=_missing(0.5)),
    Scenario("Prometheus gone for 2 min", False, gone=_two_minutes),
    Scenario("counter reset", False, kept=_reset),
    Scenario("pod churn", False, kept=_churn),
    Scenario("memory levels off", False, memory=_levels_off),
    Scenario("an incident in the history", False, past="incident"),
    Scenario("an improvement", False, step(errors=0.3, latency=0.7)),
)
COLD = ("cold start, ignored", "cold start, unknown", "cold start, learnt")
"""A cold start, judged with more and more known of it."""
BEFORE = (Scenario(COLD[0], False, cold, starts="ignored"),)
"""What the engine does not do: shown beside what it does."""
EVERY = BAD + GOOD + BEFORE
OFTEN = tuple(s.name for s in GOOD + BEFORE if s.past == "plain" and s.name != "30-s blip")
"""Good deploys that are to be rolled back less often than the budget: they are run more often, to show it."""
