"""Our engine on many simulated watches at once: the functions of watchdog/judge/compare with a leading axis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bench.rollback.services import INTERVAL, WATCH, Stretch
from watchdog.judge.compare import startup
from watchdog.judge.compare.arrays import Array, Whole
from watchdog.judge.compare.calibrate import Calibrated, History, calibrate
from watchdog.judge.compare.latency import choose_edges, pick
from watchdog.judge.compare.pooling import both_tiers
from watchdog.judge.compare.tiers import LATENCY, RATIO, Bounds, Counts, course

SIGNALS = 7


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
