from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import pytest

from watchdog.act.base import Actor
from watchdog.engine import Engine, Parts
from watchdog.jobs import Inline
from watchdog.model.deploy import Phase
from watchdog.model.incident import Event, EventKind, Notice
from watchdog.model.rule import CrashesMeasure, HttpMeasure, PrometheusMeasure, ReleaseMeasure, Rule
from watchdog.model.target import CommandSpec, Target
from watchdog.model.watch import Watch
from watchdog.observe.base import Platform
from watchdog.roster import Roster
from watchdog.store.base import Store
from watchdog.store.memory import MemoryStore
from watchdog.testing import FakeActor, FakeClock, FakeGauge, FakeHistory, FakePlatform, World

SPEC = CommandSpec(status=("status",), history=("history",), rollback=("rollback", "{{ revision }}"))


Known = TypeVar("Known")


def present(value: Known | None) -> Known:
    """What must be there by now."""
    assert value is not None
    return value


def rule(name: str = "latency", **changes: object) -> Rule:
    fields: dict[str, object] = {
        "name": name,
        "trigger": "performance",
        "summary": f"{name} is bad",
        "measure": PrometheusMeasure(query=name),
        "fail_when": "value > 1.0",
        "consecutive_failures": 2,
    }
    return Rule.model_validate(fields | changes)


CRASH = rule("crash-loop", trigger="crash", measure=CrashesMeasure(), fail_when="value >= 2", consecutive_failures=1)
FAILED = rule(
    "failed-deploy", trigger="crash", measure=ReleaseMeasure(), fail_when="value >= 1", consecutive_failures=1
)
NEVER = rule(
    "never-ready",
    trigger="health",
    measure=ReleaseMeasure(state="never_ready"),
    fail_when="value >= 1",
    consecutive_failures=1,
)
PROBE = rule(
    "probe-api",
    trigger="health",
    measure=HttpMeasure(url="http://127.0.0.1/healthz"),
    fail_when="value < 1",
    consecutive_failures=3,
    probe=True,
)


def target(*rules: Rule, **changes: object) -> Target:
    fields: dict[str, object] = {
        "name": "shop",
        "spec": SPEC,
        "rules": rules or (rule(), CRASH, FAILED, NEVER, PROBE),
        "watch": {"bake_time": "2m", "initial_delay": "10s", "interval": "5s", "settle": "2s"},
        "rollback": {"verify_for": "20s", "first_known_good": "running", "cooldown": "30m"},
        "receivers": ("oncall",),
    }
    return Target.model_validate(fields | changes)


class Guarded:
    """A running engine over one fake world, driven second by second."""

    def __init__(self, guarded: Target, store: Store | None = None, owner: str = "me") -> None:
        self.clock = FakeClock()
        self.target = guarded
        self.world = World()
        self.store: Store = store or MemoryStore()
        self.gauge = FakeGauge()
        self.probe = FakeGauge()
        self.history = FakeHistory()
        self.gauge.values = {"latency": 0.2}
        self.probe.values = {str(PROBE.measure): 1.0}
        self.platform: Platform = FakePlatform({guarded.name: self.world})
        self.actor: Actor = FakeActor({guarded.name: self.world})
        self.errors: list[Exception] = []
        self.engine = self.another(owner)

    def another(self, owner: str) -> Engine:
        """A new process over the same store and world."""
        return Engine(
            Parts(
                roster=Roster([self.target]),
                platforms={"command": self.platform},
                actors={"command": self.actor},
                gauges={"prometheus": self.gauge, "http": self.probe},
                store=self.store,
                jobs=Inline(),
                owner=owner,
                notices=self._notices,
                history=lambda *_: self.history,
            ),
            self.errors.append,
        )

    def _notices(self, event: Event) -> tuple[Notice, ...]:
        if event.kind is EventKind.note:
            return ()
        return (Notice(id=f"{event.id}/oncall", event=event, receiver="oncall", created_at=event.at, next_at=event.at),)

    def run(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, a tick a step."""
        for _ in range(round(seconds / step)):
            self.engine.tick(self.clock.advance(step))
        assert self.errors == []

    def until(self, true: Callable[[], bool], limit: float = 600) -> float:
        """Let time pass until it is true; how long that took."""
        for second in range(1, round(limit)):
            self.run(1)
            if true():
                return second
        raise AssertionError(f"not within {limit} s; {self.watch.state}: {self.story()}")

    def deploy(self, name: str, phase: Phase = Phase.complete) -> None:
        self.world.deploy(name, phase)
        self.engine.wake(self.target.name)

    @property
    def watch(self) -> Watch:
        return self.store.watches(self.target.name)[0]

    def kinds(self) -> list[str]:
        """What receivers were told, in order."""
        return [e.kind.value for e in self.store.events(target=self.target.name) if e.kind is not EventKind.note]

    def story(self) -> list[str]:
        return [e.message for e in self.store.events(target=self.target.name)]


class MakeGuarded(Protocol):
    """What the fixture `guarded` is."""

    def __call__(self, *rules: Rule, store: Store | None = None, **changes: object) -> Guarded: ...


@pytest.fixture
def guarded() -> MakeGuarded:
    """Makes a guarded world whose v1 runs and is known good."""

    def make(*rules: Rule, store: Store | None = None, **changes: object) -> Guarded:
        made = Guarded(target(*rules, **changes), store)
        made.run(3)
        return made

    return make
