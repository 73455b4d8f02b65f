"""One chunk of services: drawn, calibrated once, then every scenario with that past judged in every way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.rollback import others, ours
from bench.rollback.scenarios import BASE, EVERY, QUIET, Past, Scenario, cold_start_of
from bench.rollback.services import (
    EARLIER,
    HISTORY,
    INTERVAL,
    START,
    WATCH,
    Moves,
    Noise,
    Stretch,
    bursts,
    missing,
    observe,
    wander,
)
from watchdog.judge.compare import pooling
from watchdog.judge.compare.arrays import Array, Whole
from watchdog.judge.compare.latency import pick

WAYS = (
    "ours", "5 failed checks (Flagger)", "more than 3 failures (Argo)", "3 bad scrapes in a row",
    "Mann-Whitney every scrape", "e-process, not calibrated",
)  # fmt: skip
SMALLER = {"ours, budget .5 %": 0.005, "ours, budget .2 %": 0.002, "ours, budget .1 %": 0.001}
"""Our engine with smaller budgets of false rollbacks than WAYS[0] has."""
DAY = 86400.0


@dataclass(frozen=True)
class Task:
    """A chunk to run; its random numbers depend on nothing else."""

    seed: tuple[int, ...]
    noise: Noise
    rate: float
    past: Past
    services: int
    names: tuple[str, ...] = ()
    """Scenarios; all with this past if empty."""
    alone: bool = False
    """Our engine only: its false rollbacks are what more runs are for."""

    @property
    def scenarios(self) -> Sequence[Scenario]:
        """What to run."""
        return [s for s in EVERY if s.past == self.past and (not self.names or s.name in self.names)]


@dataclass(frozen=True)
class Answer:
    """When each way would roll back, by scenario: seconds, NaN for never."""

    task: Task
    when: dict[str, dict[str, Array]]
    inconclusive: dict[str, float]
    """The share of our watches that did not trip and could have shown too little."""
    phi: dict[str, float]
    """The median φ of the services, by signal: how many times as much as chance alone makes them their counts vary."""


def run(task: Task) -> Answer:
    """Draw, calibrate and judge."""
    rng = np.random.default_rng(np.random.SeedSequence(task.seed))
    base = QUIET if task.past == "quiet" else BASE
    moves = wander(rng, task.noise, task.services, HISTORY).times(_past(rng, task))
    history = observe(rng, task.rate, base, moves, task.services, HISTORY)
    kept = np.ones(history.requests.shape)
    if task.past == "outage":
        kept[:, -100:-15] = 0
    edges = ours.edges_of(history)
    recent = history.last(others.BASELINE)
    ready = ours.prepare(replace(history, above=pick(history.above, edges)), kept, edges)
    gauges = ours.gauges_before(rng, task.rate, history)
    starts = {
        "unknown": ready,
        "normal": ours.learned(ready, _starts(rng, task, base, is_cold=False)),
        "cold": ours.learned(ready, _starts(rng, task, base, is_cold=True)),
        "ignored": ours.ignored(ready),
    }
    when, blank = {}, {}
    for scenario in task.scenarios:
        own = scenario.moves(rng, task.services).times(_now(task))
        after = observe(
            rng, task.rate, base, wander(rng, task.noise, task.services, WATCH).times(own), task.services, WATCH
        )
        after = _as_scraped(rng, scenario, after)
        known = starts[scenario.starts]
        course = ours.pooled(rng, known, gauges, scenario, after, task.rate)
        tripped = course >= ours.NEEDED
        when[scenario.name] = {WAYS[0]: others.first(tripped)}
        when[scenario.name] |= {way: others.first(course >= pooling.needed(b)) for way, b in SMALLER.items()}
        if not task.alone:
            when[scenario.name] |= _others(recent, after, edges)
        blank[scenario.name] = float((~tripped.any(axis=-1) & ~ours.telling(known, after)).mean())
    phi = {"errors": ready.errors.bounds.phi, "latency": ready.latency.bounds.phi}
    return Answer(task, when, blank, {name: float(np.median(values)) for name, values in phi.items()})


def _others(recent: Stretch, after: Stretch, edges: Whole) -> dict[str, Array]:
    return {
        WAYS[1]: others.failed_checks(recent, after, 4),
        WAYS[2]: others.failed_checks(recent, after, 3),
        WAYS[3]: others.in_a_row(recent, after),
        WAYS[4]: others.mann_whitney(recent, after),
        WAYS[5]: others.bare_evidence(recent, after, edges, ours.SIGNALS),
    }


def _past(rng: np.random.Generator, task: Task) -> Moves:
    """What the history holds besides its noise."""
    ages = np.arange(HISTORY)[None]
    match task.past:
        case "daily":
            wave = np.sin(2 * np.pi * (ages - HISTORY) * INTERVAL / DAY)
            return Moves(errors=1 + 0.2 * wave, latency=1 + 0.05 * wave, traffic=1 + 0.5 * wave)
        case "incident":
            begin = HISTORY - rng.integers(240, 2880, (task.services, 1))
            on = ((ages >= begin) & (ages < begin + 60)).astype(float)
            return Moves(errors=1 + 29 * on, latency=1 + 2 * on)
        case "outage":
            on = ((ages >= HISTORY - 100) & (ages < HISTORY - 20)).astype(float)
            return Moves(errors=1 + 39 * on, latency=1 + 2 * on)
        case "neighbour":
            on = bursts(rng, 5400, 120, task.services, HISTORY)
            return Moves(errors=1 + 0.5 * on, latency=1 + 0.25 * on)
        case _:
            return Moves()


def _now(task: Task) -> Moves:
    """The time of day goes on: the deploy comes where everything rises fastest."""
    if task.past != "daily":
        return Moves()
    wave = np.sin(2 * np.pi * np.arange(WATCH)[None] * INTERVAL / DAY)
    return Moves(errors=1 + 0.2 * wave, latency=1 + 0.05 * wave, traffic=1 + 0.5 * wave)


def _starts(rng: np.random.Generator, task: Task, base: float, *, is_cold: bool) -> list[Stretch]:
    """The first minutes of earlier good deploys."""
    out = []
    for _ in range(EARLIER):
        moves = wander(rng, task.noise, task.services, START)
        if is_cold:
            moves = moves.times(cold_start_of(rng, task.services))
        out.append(observe(rng, task.rate, base, moves, task.services, START))
    return out


def _as_scraped(rng: np.random.Generator, scenario: Scenario, after: Stretch) -> Stretch:
    """With scrapes missing, and counts lost in resets."""
    many = len(after.requests)
    if scenario.kept is not None:
        kept = scenario.kept(rng, many)
        thin = np.floor(after.requests * kept)
        errors = np.minimum(np.floor(after.errors * kept), thin)
        after = replace(after, requests=thin, errors=errors, above=np.floor(after.above * kept[:, None]))
    if scenario.gone is not None:
        after = missing(after, scenario.gone(rng, many))
    return after
