"""What the bench publishes is what the daemon does: its looks, scrape after scrape, end as the bench's arrays do.

The daemon's path is `comparing.answer`: it reads raw counters from a history, calibrates, follows the rule from look to
look, and pools. The bench calls the same mathematics for many services at once.
"""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from bench.rollback import others, ours
from bench.rollback.scenarios import cold, cold_start_of, step
from bench.rollback.services import (
    EARLIER,
    EDGES,
    HISTORY,
    INTERVAL,
    NOISES,
    START,
    WATCH,
    Moves,
    Stretch,
    missing,
    observe,
    wander,
)  # fmt: skip
from watchdog.engine import comparing
from watchdog.engine.comparing import Question
from watchdog.judge.compare import pooling
from watchdog.judge.compare.latency import pick
from watchdog.judge.compare.rule import Setting
from watchdog.judge.compare.together import together
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series
from watchdog.testing import FakeHistory

BEGAN = datetime(2026, 1, 9, tzinfo=UTC).timestamp()
RATE = 10.0
MEASURES = {
    "errors": CompareMeasure(signal="ratio", events="errors", total="requests"),
    "latency": CompareMeasure(signal="latency", buckets="buckets"),
}
DEPLOYS = {
    "nothing changes": Moves(),
    "errors 1→5 %": step(errors=5)(np.random.default_rng(0), 1),
    "errors 1→30 %": step(errors=30)(np.random.default_rng(0), 1),
    "errors 1→5 % after 5 min": step(errors=5, onset=300)(np.random.default_rng(0), 1),
    "latency ×1.5": step(latency=1.5)(np.random.default_rng(0), 1),
    "latency ×3": step(latency=3)(np.random.default_rng(0), 1),
    "cold start": cold(np.random.default_rng(0), 1),
    "errors 1→5 %, scrapes missing": step(errors=5)(np.random.default_rng(0), 1),
}
GONE = np.arange(WATCH) % 5 < 2
"""Two scrapes of five, in the last deploy."""


def service(stretch: Stretch, number: int) -> Stretch:
    """One of many, as a stretch of one."""
    return Stretch(
        *(part[number : number + 1] for part in (stretch.requests, stretch.errors, stretch.above, stretch.reach))
    )


def scraped(stretches: list[tuple[float, Stretch]], gone: np.ndarray) -> FakeHistory:
    """The counters of one pod that Prometheus would have, from what happened in stretches that begin at these times.

    Of the last one, the scrapes in `gone` are missing. Where a stretch follows on the one before, its first sample is
    the last one of that.
    """
    at: list[float] = []
    counted: list[np.ndarray] = []
    for begin, stretch in stretches:
        each = np.concatenate((stretch.requests, stretch.errors, stretch.requests - stretch.above[0]))
        if not at or begin > at[-1]:
            at.append(begin)
            counted.append(np.zeros((len(each), 1)))
        at += (begin + INTERVAL * np.arange(1, each.shape[1] + 1)).tolist()
        counted.append(each)
    seen = np.ones(len(at), bool)
    seen[-WATCH:] = ~gone
    values, times = np.cumsum(np.concatenate(counted, axis=1), axis=1)[:, seen], np.array(at)[seen]
    labels = [("requests", {}), ("errors", {"code": "500"}), *(("buckets", {"le": f"{edge:g}"}) for edge in EDGES)]
    history = FakeHistory()
    for (selector, more), row in zip([*labels, ("buckets", {"le": "+Inf"})], [*values, values[0]], strict=True):
        samples = zip(times.tolist(), row.tolist(), strict=True)
        history.known.setdefault(selector, []).append(Series.of({"pod": "p", **more}, samples))
    return history


def followed(history: FakeHistory, earlier: tuple[float, ...]) -> tuple[dict[str, list[float]], float]:
    """(ln E of each rule after each scrape, when the daemon would roll back: seconds, NaN for never)."""
    courses: dict[str, list[float]] = {name: [] for name in MEASURES}
    questions = {
        name: Question(
            rule=name, measure=measure, deployed=BEGAN, began=BEGAN, now=BEGAN,
            setting=Setting(INTERVAL, WATCH * INTERVAL, weight=ours.WEIGHTS[name], signals=ours.SIGNALS),
            calibration=None, nothing_known=False, cut=(), earlier=earlier, proving=False,
        )
        for name, measure in MEASURES.items()
    }  # fmt: skip
    tripped = float("nan")
    for number in range(1, WATCH + 1):
        findings = []
        for name, asked in questions.items():
            said, held = comparing.answer(history, replace(asked, now=BEGAN + number * INTERVAL))
            assert said.finding is not None, said.error
            questions[name] = replace(asked, calibration=said.calibration or asked.calibration, held=held)
            courses[name].append(said.finding.ln_e)
            findings.append(said.finding)
        if np.isnan(tripped) and together(findings).fails:
            tripped = number * INTERVAL
    return courses, tripped


@pytest.mark.slow
@pytest.mark.parametrize("starts", ["at once", "cold"])
def test_the_daemon_s_looks_end_as_the_bench_s_arrays_do(starts: str):
    rng, many, noise = np.random.default_rng(5), len(DEPLOYS), NOISES[1]
    history = observe(rng, RATE, 0.01, wander(rng, noise, many, HISTORY), many, HISTORY)
    for part in (history.requests, history.errors, history.above):
        part[..., 0] = 0  # before the first sample of a day nobody knows where its counters stood
    moves = cold_start_of(rng, many) if starts == "cold" else Moves()
    begun = [
        observe(rng, RATE, 0.01, wander(rng, noise, many, START).times(moves), many, START) for _ in range(EARLIER)
    ]
    deployed = [
        observe(rng, RATE, 0.01, wander(rng, noise, 1, WATCH).times(each), 1, WATCH) for each in DEPLOYS.values()
    ]

    edges = ours.edges_of(history)
    ready = ours.prepare(replace(history, above=pick(history.above, edges)), np.ones(history.requests.shape), edges)
    ready = ours.learned(ready, begun)
    nothing = np.zeros(WATCH, bool)
    gone = [GONE if "missing" in name else nothing for name in DEPLOYS]
    seen = [missing(each, lost[None]) for each, lost in zip(deployed, gone, strict=True)]
    after = Stretch(
        *(np.concatenate([getattr(s, part) for s in seen]) for part in ("requests", "errors", "above", "reach"))
    )
    together_errors, together_latency = ours.evidence(ready, after)
    rest = {name: np.zeros_like(together_errors) for name in ours.GROUPS}
    pooled = pooling.pooled({**rest, "errors": together_errors, "latency": together_latency}, ours.WEIGHTS)
    when = others.first(pooled >= ours.NEEDED)

    earlier = tuple(BEGAN - 86400.0 * (number + 2) for number in range(EARLIER))
    for number, name in enumerate(DEPLOYS):
        stretches = [(at, service(each, number)) for at, each in zip(earlier, begun, strict=True)][::-1]
        stretches += [(BEGAN - HISTORY * INTERVAL, service(history, number)), (BEGAN, deployed[number])]
        courses, tripped = followed(scraped(stretches, gone[number]), earlier)
        assert courses["errors"] == pytest.approx(together_errors[number].tolist(), abs=1e-6), name
        assert courses["latency"] == pytest.approx(together_latency[number].tolist(), abs=1e-6), name
        assert tripped == pytest.approx(when[number], nan_ok=True), name
    found = dict(zip(DEPLOYS, np.isfinite(when).tolist(), strict=True))
    assert {name for name, bad in found.items() if not bad} <= {"nothing changes", "cold start"}
    assert not found["nothing changes"]
