"""Our engine on many simulated watches at once: the functions of watchdog/judge/compare with a leading axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bench.rollback.scenarios import Scenario
from bench.rollback.services import INTERVAL, WATCH, Stretch
from watchdog.judge.compare import gauges, gauging, growth, pooling, power, probing, restarts, startup
from watchdog.judge.compare.arrays import Array, Flags, Whole
from watchdog.judge.compare.calibrate import Calibrated, History, calibrate
from watchdog.judge.compare.gates import Counts
from watchdog.judge.compare.gauges import Level
from watchdog.judge.compare.latency import choose_edges, pick
from watchdog.judge.compare.pooling import both_tiers
from watchdog.judge.compare.tiers import LATENCY, RATIO, Bounds, course

GROUPS = {
    "errors": "errors", "latency": "latency", "restarts": "failures", "probes": "failures",
    "cpu": "gauges", "traffic": "gauges", "memory": "gauges",
}  # fmt: skip
SIGNALS = len(GROUPS)
WEIGHTS = pooling.signal_weights(GROUPS)
NEEDED = pooling.needed()
TRAFFIC_TOLERANCE = 0.7
"""Only a loss of more than this share of the usual traffic is bad."""


@dataclass(frozen=True)
class Ready:
    """What is known of each service before its deploy."""

    errors: Calibrated
    latency: Calibrated
    edges: Whole


def prepare(history: Stretch, kept: Array, edges: Whole) -> Ready:
    """Calibrate errors and latency; nothing is known of earlier deploys yet."""
    many = len(history.requests)
    out = []
    for events, tolerance in ((history.errors[:, None], RATIO), (history.above, LATENCY)):
        none = startup.unlearned((many,), events.shape[1])
        out.append(
            calibrate(
                History(events, history.requests, kept.astype(bool)),
                tolerance=tolerance,
                watch_seconds=WATCH * INTERVAL,
                interval=INTERVAL,
                signals=SIGNALS,
                start=none[0],
                start_peak=none[1],
            )
        )
    return Ready(out[0], out[1], edges)


def edges_of(history: Stretch) -> Whole:
    """The bucket edges to test."""
    return choose_edges(history.above.sum(axis=-1), history.requests.sum(axis=-1))


def learned(ready: Ready, starts: list[Stretch]) -> Ready:
    """With what earlier good deploys teach of the start-up; `starts` has one stretch for each earlier deploy."""

    def known(found: Calibrated, events: list[Array]) -> Calibrated:
        stacked = np.stack(events, axis=1)
        total = np.stack([each.requests for each in starts], axis=1)[:, :, None]
        star = np.broadcast_to(found.bounds.p_star[:, None], stacked.shape[:3])
        start, peak = startup.learn(stacked, total, star, found.bounds.phi, INTERVAL)
        return replace(found, bounds=replace(found.bounds, start=start, start_peak=peak))

    return Ready(
        known(ready.errors, [each.errors[:, None] for each in starts]),
        known(ready.latency, [pick(each.above, ready.edges) for each in starts]),
        ready.edges,
    )


def ignored(ready: Ready) -> Ready:
    """As if no version ever needed time to start: what learning the start is compared with."""

    def at_once(found: Calibrated) -> Calibrated:
        bounds = found.bounds
        none, flat = np.zeros_like(bounds.start), np.zeros_like(bounds.start_peak)
        return replace(found, bounds=replace(bounds, start=none, start_peak=flat))

    return Ready(at_once(ready.errors), at_once(ready.latency), ready.edges)


def evidence(ready: Ready, after: Stretch) -> tuple[Array, Array]:
    """ln E of errors and of latency over time, (services, scrapes) each."""
    return (
        _signal(ready.errors.bounds, after.errors[:, None], after),
        _signal(ready.latency.bounds, pick(after.above, ready.edges), after),
    )


def _signal(bounds: Bounds, events: Array, after: Stretch) -> Array:
    counts = Counts(events, after.requests[:, None], after.reach[:, None])
    found = course(counts, bounds, INTERVAL)
    return both_tiers(found.gross, found.fine)


@dataclass(frozen=True)
class Gauges:
    """Baselines of CPU, of CPU per request, and of traffic."""

    cpu: Level
    per_request: Level
    traffic: Level


def _cpu(rng: np.random.Generator, rate: float, requests: Array) -> Array:
    """Cores used in each scrape: a third is there without requests; 5 % noise."""
    usual = 0.3 + 0.7 * requests / (rate * INTERVAL)
    return usual * np.exp(0.05 * rng.standard_normal(requests.shape))


def _per_minute(values: Array) -> Array:
    return gauges.blocks(values, INTERVAL)


def gauges_before(rng: np.random.Generator, rate: float, history: Stretch) -> Gauges:
    """Calibrate the gauges on a day of minutes."""
    watch = round(WATCH * INTERVAL / gauges.BLOCK)
    cpu = _per_minute(_cpu(rng, rate, history.requests))
    requests = _per_minute(history.requests)
    return Gauges(
        gauges.level_of(cpu, worse=1, watch=watch),
        gauges.level_of(cpu / np.maximum(requests, 1e-9), worse=1, watch=watch),
        gauges.level_of(requests, worse=-1, watch=watch, tolerance=TRAFFIC_TOLERANCE),
    )


def pooled(
    rng: np.random.Generator, ready: Ready, before: Gauges, scenario: Scenario, after: Stretch, rate: float
) -> Array:
    """ln of the pooled E over time, (services, scrapes): errors, latency, restarts, probes, CPU, traffic, memory."""
    errors, latency = evidence(ready, after)
    shape, ends = after.requests.shape, np.arange(1, WATCH + 1) * INTERVAL
    happened = rng.poisson(0.5 / 86400 * INTERVAL, shape).astype(float)
    if scenario.restarts is not None:
        happened += scenario.restarts(rng, shape[0])
    failed = (rng.random(shape) < scenario.failing_probes).astype(float)
    whole = np.where(after.reach > 0, after.requests / np.maximum(after.reach, 1), np.nan)
    cpu = _cpu(rng, rate, np.nan_to_num(whole, nan=rate * INTERVAL)) * scenario.cpu
    cpu = np.where(np.isnan(whole), np.nan, cpu)
    minutes, requests = _per_minute(cpu), _per_minute(whole)
    per_request = minutes / np.maximum(requests, 1e-9)
    views = [gauges.level_course(minutes, before.cpu, 1), gauges.level_course(per_request, before.per_request, 1)]
    courses = {
        "errors": errors,
        "latency": latency,
        "restarts": restarts.ln_e(np.cumsum(happened, axis=-1, dtype=float), ends.astype(float)),
        "probes": probing.ln_e(np.cumsum(failed, axis=-1), np.arange(1.0, WATCH + 1)),
        "cpu": _by_scrape(gauges.agreed(views)),
        "traffic": _by_scrape(gauges.level_course(requests, before.traffic, -1)),
        "memory": _memory(rng, scenario, shape[0]),
    }
    return pooling.pooled(courses, WEIGHTS)


def _by_scrape(by_minute: Array) -> Array:
    """What is known at each scrape: the last whole minute's evidence."""
    each = round(gauges.BLOCK / INTERVAL)
    late = np.repeat(by_minute, each, axis=-1)
    return np.concatenate((np.zeros((len(late), each - 1)), late), axis=-1)[:, :WATCH]


def _memory(rng: np.random.Generator, scenario: Scenario, many: int) -> Array:
    """Growth towards a limit of twice the usual memory; drawn only where memory is what the scenario is about."""
    out = np.zeros((many, WATCH))
    if scenario.memory is None:
        return out
    moves = scenario.memory(rng, many)
    used = 5e8 * np.broadcast_to(moves.traffic, out.shape) * np.exp(0.01 * rng.standard_normal(out.shape))
    known = gauging.calibrate_growth(None, interval=INTERVAL, limit=1e9)
    for row, values in enumerate(used):
        found = gauging.judge_growth(
            "memory", "memory", known, values, interval=INTERVAL, watch_seconds=WATCH * INTERVAL, weight=1
        )
        for share, value in zip(growth.LOOKS, found.course, strict=True):
            out[row, round(share * WATCH) - 1 :] = value
    return out


def telling(ready: Ready, after: Stretch) -> Flags:
    """Whether so many requests could have shown a rise of errors and one of latency."""
    told = []
    for name, found in (("errors", ready.errors), ("latency", ready.latency)):
        rate = found.events / np.maximum(found.total, 1)
        alone = NEEDED - np.log(WEIGHTS[name] * (1 - pooling.GROSS_SHARE))
        told.append(power.tells(rate, found.bounds.p_star, found.bounds.phi, after.requests.sum(axis=-1), alone))
    return told[0] & told[1]
