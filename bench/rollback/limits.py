"""How many requests any test needs, beside those that a watch has: why some cells find little.

Two bounds. Of any test: it knows both rates exactly and spends the whole budget on this one signal. Of any test that
allows what ours does: rises within the tolerance are no fault, the budget is shared, counts vary φ times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from bench.rollback import ours
from bench.rollback.running import WAYS
from bench.rollback.scenarios import BAD, BASE, QUIET, Scenario
from bench.rollback.scores import Cell
from bench.rollback.services import EDGES, INTERVAL, WATCH, Moves, slower
from bench.rollback.tables import Scores, markdown, percent
from watchdog.judge.compare.arrays import Array
from watchdog.judge.compare.pooling import BUDGET
from watchdog.judge.compare.power import fewest_requests
from watchdog.judge.compare.tiers import LATENCY, RATIO, Tolerance

LOW = 0.5
"""A share found below this is explained."""
_WORDS = """\
Wald's bound: a sequential test that knew both rates exactly, with the whole budget of 1 % for this one signal and
binomial noise, needs so many requests (*any test*) to find half of such bad deploys, however it is made. A test
that allows what ours allows needs more (*allowing*): a rise by a quarter (latency: by 15 % of the slow requests)
counts as not worse, and the signal has a quarter of the budget. Where noise makes counts vary φ times as much as
chance does, that is φ times as many. In the cells: the percent found; in brackets the requests after the fault
began in a watch of usual traffic, and how many a test needs that allows so, with the φ that was found."""


@dataclass(frozen=True)
class Limit:
    """The fewest requests with which half of such deploys can be found."""

    signal: str
    any_test: float
    allowing: float
    """By a test with our tolerance and share of the budget; infinite where the rise is within the tolerance."""
    seconds: float
    """Of the watch, from when the fault begins."""

    def needed(self, cell: Cell) -> float:
        """By a test that allows for this cell's noise too."""
        return self.allowing * max(1.0, cell.phi[self.signal])


def limit_of(scenario: Scenario) -> Limit | None:
    """None: what is bad about it is not in its requests."""
    moves = scenario.moves(np.random.default_rng(0), 1)
    factors = [np.broadcast_to(part, (1, WATCH))[0] for part in (moves.errors, moves.latency, moves.tail)]
    worse = np.any([part > 1 for part in factors], axis=0)
    if not worse.any():
        return None
    errors, latency, tail = (float(part[-1]) for part in factors)
    base = QUIET if scenario.past == "quiet" else BASE
    pairs, signal, tolerance = [(base, base * errors)], "errors", RATIO
    nats = _nats(np.array([base, 1 - base]), np.array([base * errors, 1 - base * errors]))
    if errors == 1:
        slow = Moves(latency=np.array([latency]), tail=np.array([tail]))
        before, after = (np.array([float(slower(edge, m)[0]) for edge in EDGES]) for m in (Moves(), slow))
        pairs, signal, tolerance = list(zip(before.tolist(), after.tolist(), strict=True)), "latency", LATENCY
        nats = _nats(_buckets(before), _buckets(after))
    # The bound is its nats, which are the same for all pairs of rates, over those that one request tells.
    whole = fewest_requests(0.5, 0.75, BUDGET) * _nats(np.array([0.5, 0.5]), np.array([0.75, 0.25]))
    return Limit(signal, whole / nats, _allowing(pairs, signal, tolerance), float(worse.sum()) * INTERVAL)


def section(scores: Scores, noises: Sequence[str], rates: Sequence[float]) -> list[str]:
    """Words, a table for each kind of noise, and what explains the cells that find less than half."""
    found = {scenario.name: limit for scenario in BAD if (limit := limit_of(scenario)) is not None}
    out = [_WORDS]
    for noise in noises:
        rows = [[f"{noise} noise", "any test", "allowing", *(f"{rate:g}/s" for rate in rates)]]
        few: list[str] = []
        noisy: list[str] = []
        for name, limit in found.items():
            row = [name, _many(limit.any_test), _many(limit.allowing)]
            for rate in rates:
                cell, has = scores[noise, rate, name, WAYS[0]], rate * limit.seconds
                needs = limit.needed(cell)
                row.append(f"{percent(cell.share)} ({_many(has)} {'<' if has < needs else '≥'} {_many(needs)})")
                if cell.share < LOW:
                    (few if has < needs else noisy).append(f"{name} at {rate:g}/s")
            rows.append(row)
        out += [markdown(rows), _explained(noise, few, noisy)]
    return out


def _explained(noise: str, few: Sequence[str], noisy: Sequence[str]) -> str:
    lines = [f"Cells that find less than half, {noise} noise:\n"]
    lines.append(f"- the watch has fewer requests than such a test needs: {'; '.join(few) or 'none'}")
    lines.append(
        "- the requests would do; what is lost is the price of an old rate that is not known exactly, of the gates, or "
        f"of a late fault among good minutes: {'; '.join(noisy) or 'none'}"
    )
    return "\n".join(lines)


def _allowing(pairs: Sequence[tuple[float, float]], signal: str, tolerance: Tolerance) -> float:
    """By the best single rate of those that are tested."""
    fewest = inf
    for before, after in pairs:
        bound = max(tolerance.times * before, before + tolerance.plus)
        if bound < after < 1:
            fewest = min(fewest, fewest_requests(bound, after, BUDGET * ours.WEIGHTS[signal]))
    return fewest


def _buckets(above: Array) -> Array:
    """Shares of requests in each bucket, from those above each edge."""
    out: Array = -np.diff(np.concatenate(([1.0], above, [0.0])))
    return out


def _nats(before: Array, after: Array) -> float:
    """What one request tells: the Kullback-Leibler divergence."""
    kept = after > 0
    return float((after[kept] * np.log(after[kept] / before[kept])).sum())


def _many(requests: float) -> str:
    return "∞" if requests == inf else f"{requests:,.0f}"
