"""The cost of one turn of the engine with 1, 100 and 1,000 open watches, each with 12 rules.

The engine, the judgement and the store (SQLite in a file) are the real ones; platforms and sources answer at once,
from memory, so that only the watchdog's own work is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from bench.report import Baseline, Result, Row
from watchdog.engine import Engine, Parts
from watchdog.jobs import Inline
from watchdog.model.rule import CrashesMeasure, Measure, PrometheusMeasure, ReleaseMeasure, Rule
from watchdog.model.target import CommandSpec, Target, WatchPolicy
from watchdog.model.watch import WatchState
from watchdog.roster import Roster
from watchdog.store import open_store
from watchdog.store.base import Step, Store
from watchdog.testing import FakeActor, FakeClock, FakeGauge, FakePlatform, World

SIZES = (1, 100, 1_000)
TURN = 0.5
"""Seconds between two turns of the daemon."""
INTERVAL = 5
"""Seconds between two measurements of a rule: the default."""
QUERIES = 8
SPEC = CommandSpec(status=("status",), history=("history",), rollback=("rollback", "{{ revision }}"))
PLATFORM_MEASURES: tuple[Measure, ...] = (
    CrashesMeasure(),
    CrashesMeasure(count="oom_kills"),
    CrashesMeasure(count="unhealthy"),
    ReleaseMeasure(),
)

RULES = QUERIES + len(PLATFORM_MEASURES)


@dataclass(frozen=True)
class Turns:
    """How long turns took, in seconds: those in which no rule was due, and those in which all were."""

    quiet: tuple[float, ...]
    due: tuple[float, ...]


def measure(directory: Path) -> Iterator[Row]:
    """Two results for each size. The cycles are fewer where a turn takes longer."""
    one: Turns | None = None
    for watches in SIZES:
        cycles = {1: 20, 100: 8}.get(watches, 3)
        turns = timed_turns(watches, cycles, directory / f"ticks-{watches}.db")
        one = one or turns
        plural = "watch" if watches == 1 else "watches"
        for what, found, single in (
            ("nothing due", turns.quiet, one.quiet),
            (f"all {RULES * watches:,} rules due", turns.due, one.due),
        ):
            values = tuple(1000 * seconds for seconds in found)
            scaled = Baseline(f"{watches:,} times the tick of 1 watch", watches * 1000 * median(single))
            against = None if watches == 1 else scaled
            yield Result(f"tick, {watches:,} {plural}, {what}", "ms", values, baseline=against)


def timed_turns(watches: int, cycles: int, file: Path) -> Turns:
    """Open this many watches, then time `cycles` intervals of turns."""
    clock = FakeClock()
    with closing(open_store(f"sqlite:///{file}")) as store:
        stored: list[int] = []
        engine = _engine(watches, store, clock, lambda step: stored.append(len(step.measurements)))
        quiet: list[float] = []
        due: list[float] = []
        for _ in range(cycles):
            for turn in range(round(INTERVAL / TURN)):
                stored.clear()
                now = clock.advance(TURN)
                began = time.perf_counter()
                engine.tick(now)
                (due if turn == 0 else quiet).append(time.perf_counter() - began)
                expected = [RULES] * watches if turn == 0 else []
                if stored != expected:
                    raise RuntimeError(f"turn {turn} stored {sum(stored)} measurements, not {sum(expected)}")
        states = {watch.state for watch in store.open_watches()}
        if states != {WatchState.watching}:
            raise RuntimeError(f"the watches did not stay open: {states}")
    return Turns(tuple(quiet), tuple(due))


def _engine(watches: int, store: Store, clock: FakeClock, told: Callable[[Step], None]) -> Engine:
    """An engine whose next turn finds every target watched, settled, and every rule due."""
    targets = [_target(f"t{number:04}") for number in range(watches)]
    worlds = {target.name: World() for target in targets}
    gauge = FakeGauge()
    gauge.values = {f'q{q}{{job="{target.name}"}}': 0.2 for target in targets for q in range(QUERIES)}
    parts = Parts(
        roster=Roster(targets),
        platforms={"command": FakePlatform(worlds)},
        actors={"command": FakeActor(worlds)},
        gauges={"prometheus": gauge},
        store=store,
        jobs=Inline(),
        owner="bench",
        notices=lambda _: (),
        told=told,
    )
    engine = Engine(parts, _fail)
    while not all(engine.looked(name) for name in worlds):  # a turn meets only so many new targets
        engine.tick(clock.advance(1))
    for name, world in worlds.items():
        world.deploy("v2")
        engine.wake(name)
    for _ in range(6):  # the deploy is seen, settles after 3 s, and its rules are measured for the first time
        engine.tick(clock.advance(1))
    clock.advance(INTERVAL - TURN)
    return engine


def _target(name: str) -> Target:
    policy = WatchPolicy(bake_time=timedelta(hours=1), initial_delay=timedelta(0))
    measures = [PrometheusMeasure(query=f'q{q}{{job="{{{{ target }}}}"}}') for q in range(QUERIES)]
    rules = tuple(_rule(f"rule-{n}", m) for n, m in enumerate((*measures, *PLATFORM_MEASURES)))
    return Target(name=name, spec=SPEC, rules=rules, watch=policy)


def _rule(name: str, measure: Measure) -> Rule:
    return Rule.model_validate(
        {
            "name": name,
            "trigger": "performance",
            "summary": f"{name} is bad",
            "measure": measure,
            "fail_when": "value > 1.0",
            "for_": "30s",
        }
    )


def _fail(error: Exception) -> None:
    raise error
