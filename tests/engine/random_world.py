"""A world in which anything may happen at any time, and a witness that holds the engine to its laws at every write and
act. Shared by the tests in test_laws.py."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from tests.engine.conftest import Guarded, target
from watchdog.actions import Actions
from watchdog.engine import Engine, Parts
from watchdog.errors import Conflict, Refused, StoreUnavailable, Unavailable, UnknownName
from watchdog.model.deploy import Phase, Revision
from watchdog.model.incident import EventKind
from watchdog.model.rollback import ActResult, Plan
from watchdog.model.rule import Mode
from watchdog.model.target import Target
from watchdog.roster import Roster
from watchdog.store.base import Step
from watchdog.store.memory import MemoryStore
from watchdog.testing import FakeActor, World

ONCE = {
    EventKind.deploy_seen, EventKind.watch_passed, EventKind.watch_superseded, EventKind.rollback_started,
    EventKind.rollback_finished, EventKind.recovered, EventKind.failed, EventKind.blocked, EventKind.held,
    EventKind.hold_ended, EventKind.would_roll_back,
}  # fmt: skip
"""What may be told of one watch once only."""

BOUNDS: dict[str, object] = {
    "watch": {
        "bake_time": "60s", "initial_delay": "5s", "interval": "5s", "settle": "2s", "rollout_timeout": "60s",
        "max_extension": "3m", "hold_expires": "5m",
    },
    "rollback": {
        "verify_for": "10s", "verify_timeout": "60s", "first_known_good": "running", "cooldown": "2m",
        "max_per_day": 5,
    },
}  # fmt: skip
QUIET = timedelta(minutes=45)
"""More than all of these limits together, and the clock's jumps: by then every watch has ended."""


class Killed(BaseException):
    """kill -9: nothing catches it."""


@dataclass
class Begun:
    """A job of `Slow`, and how many turns it still takes."""

    turns: int
    call: Callable[[], object]


class Slow:
    """Jobs that take some turns; a process that dies takes them with it, done or not."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._waiting: dict[Hashable, Begun] = {}

    def submit(self, key: Hashable, call: Callable[[], object]) -> None:
        assert key not in self._waiting, f"{key} was submitted twice"
        self._waiting[key] = Begun(self._chance.choice([0, 0, 0, 1, 2]), call)

    def pending(self, key: Hashable) -> bool:
        return key in self._waiting

    def take(self, key: Hashable) -> Future[Any] | None:
        if key not in self._waiting:
            return None
        if self._waiting[key].turns > 0:
            self._waiting[key].turns -= 1
            return None
        call = self._waiting.pop(key).call
        future: Future[Any] = Future()
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 -- kept whole in the future, as in jobs.Inline
            future.set_exception(error)
        return future

    def forget(self, key: Hashable) -> None:
        self._waiting.pop(key, None)

    def die(self) -> None:
        """The process is gone; what it had begun ran on, or not."""
        for begun in self._waiting.values():
            if self._chance.random() < 0.5:
                with contextlib.suppress(Unavailable, Refused, Killed):  # nobody hears it
                    begun.call()
        self._waiting.clear()


class Witness:
    """The store, looked over the shoulder: it may also be killed at a write, or refuse it."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.told: Counter[tuple[str | None, EventKind]] = Counter()
        self.kill_in: tuple[int, bool] | None = None
        self.refusals = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def save(self, step: Step) -> None:
        if self.refusals > 0:
            self.refusals -= 1
            raise StoreUnavailable("the disk is full")
        dies = after = False
        if self.kill_in is not None:
            left, after = self.kill_in
            dies = left <= 1
            self.kill_in = None if dies else (left - 1, after)
        if dies and not after:
            raise Killed
        self.inner.save(step)
        self._look(step)
        if dies:
            raise Killed

    def _look(self, step: Step) -> None:
        for event in step.events:
            if event.kind in ONCE:
                self.told[event.watch, event.kind] += 1
                if event.watch is not None:
                    assert self.told[event.watch, event.kind] == 1, f"{event.kind} was told twice: {event.message}"
        guarding = [w for w in self.inner.open_watches() if w.target == "shop"]
        assert len(guarding) <= 1, f"two watches guard at once: {[(w.revision, w.state) for w in guarding]}"


class SwornActor(FakeActor):
    """Acts only when everything that must be written down before is there."""

    def __init__(self, worlds: dict[str, World], store: MemoryStore) -> None:
        super().__init__(worlds)
        self.store = store
        self.deploys = 0
        self.done: dict[str, int] = {}
        self.calls: Counter[str] = Counter()
        self.kill: str | None = None

    def execute(self, target: Target, plan: Plan, to: Revision) -> ActResult:
        watch = self.store.watch(plan.watch)
        assert watch is not None
        assert watch.plan == plan, "an act without a stored plan"
        assert self.store.rollback(plan.id) is not None, "an act without its line in the ledger"
        assert target.mode is Mode.enforce or not plan.automatic, "dry run acts"
        known = self.store.revision(target.name, plan.to_revision)
        assert known is not None
        if plan.automatic:
            assert known.known_good, f"rolled back to {known.id}, which is not known good"
            assert not known.condemned, f"rolled back to {known.id}, which was itself rolled back from"
        self.calls[plan.id] += 1
        assert self.calls[plan.id] <= 2, "a third try"
        kill, self.kill = self.kill, None
        if kill == "before":
            raise Killed
        result = super().execute(target, plan, to)
        if result.ok:
            again = self.done.get(plan.id)
            assert again is None or again != self.deploys, "one plan was carried out twice"
            self.done[plan.id] = self.deploys
        if kill == "after":
            raise Killed
        return result


class RandomWorld(Guarded):
    """The engine over slow jobs; `do` lets one thing happen."""

    def __init__(self, seed: int, **changes: object) -> None:
        self._chance = random.Random(seed)
        self.witness = Witness()
        self.jobs = Slow(self._chance)
        self.processes = 0
        super().__init__(target(**{**BOUNDS, **changes}), self.witness)
        self.actor = self.sworn = SwornActor({"shop": self.world}, self.witness.inner)
        self.restart()
        self.pass_time(5)

    def another(self, owner: str) -> Engine:
        return Engine(
            Parts(
                roster=Roster([self.target]), platforms={"command": self.platform}, actors={"command": self.actor},
                gauges={"prometheus": self.gauge, "http": self.probe}, store=self.store, jobs=self.jobs, owner=owner,
                notices=self._notices,
            ),
            self.errors.append,
        )  # fmt: skip

    def restart(self) -> None:
        """The process dies, and another takes over when the claim has run out."""
        self.jobs.die()
        self.jobs = Slow(self._chance)
        self.processes += 1
        self.engine = self.another(f"process {self.processes}")
        self.clock.advance(31)

    def pass_time(self, seconds: float, step: float = 1.0) -> None:
        for _ in range(round(seconds / step)):
            try:
                self.engine.tick(self.clock.advance(step))
            except StoreUnavailable:
                continue
            except Killed:
                self.restart()
            assert self.errors == [], self.errors

    def do(self, what: str, how: int) -> None:
        getattr(self, f"_{what}")(how)
        self.pass_time(how % 40 + 1)

    def _deploy(self, how: int) -> None:
        self.sworn.deploys += 1
        name = f"v{self.sworn.deploys + 1}" if how % 4 else f"v{how % max(self.sworn.deploys, 1) + 1}"
        self.deploy(name, phase=Phase.arriving if how % 3 == 0 else Phase.complete)

    def _good_deploy(self, how: int) -> None:
        self._deploy(4 * how + 1)
        self.world.phase = Phase.complete

    def _bad_deploy(self, how: int) -> None:
        self._deploy(how)
        self._crash(1)

    def _arrive(self, how: int) -> None:
        self.world.phase = Phase.complete

    def _fail(self, how: int) -> None:
        self.world.phase, self.world.reason = Phase.failed, "migrate exited with code 3"

    def _crash(self, how: int) -> None:
        for _ in range(how % 3 + 1):
            self.world.crash(self.clock.now())

    def _take_down(self, how: int) -> None:
        self.world.state = "exited"

    def _bring_up(self, how: int) -> None:
        self.world.state = "running"

    def _slow(self, how: int) -> None:
        self.gauge.values["latency"] = 2.0

    def _well(self, how: int) -> None:
        self.gauge.values["latency"] = 0.2
        self.gauge.error = self.probe.error = None
        self.world.broken = self.world.act_fails = None
        self.world.lost.clear()

    def _no_data(self, how: int) -> None:
        if how % 2:
            self.gauge.values.clear()
        else:
            self.gauge.values["latency"] = [float("nan")] * 3

    def _source_error(self, how: int) -> None:
        self.gauge.error = self.probe.error = "HTTP 502"

    def _outage(self, how: int) -> None:
        self.world.broken = "the engine does not answer"

    def _act_fails(self, how: int) -> None:
        self.world.act_fails = "exited with 1"

    def _lose(self, how: int) -> None:
        self.world.lost.add(f"v{how % 4 + 1}")

    def _restart(self, how: int) -> None:
        self.restart()

    def _die(self, how: int) -> None:
        self.witness.kill_in = (how % 7 + 1, how % 2 == 0)

    def _die_in_the_act(self, how: int) -> None:
        self.sworn.kill = "before" if how % 2 else "after"

    def _full_disk(self, how: int) -> None:
        self.witness.refusals = how % 5 + 1

    def _jump(self, how: int) -> None:
        self.clock.advance((how - 50) * 10)

    def _person(self, how: int) -> None:
        """Somebody does something, as far as it is possible just then."""
        actions = Actions(
            self.witness,
            Roster([self.target]),
            self._notices,
            self.clock,
            lambda n: self.engine.scene(n, self.clock.now()),
        )
        orders: list[Callable[[], object]] = [
            lambda: actions.rollback("shop", None, "ada"),
            lambda: actions.rollback("shop", "v1", "ada"),
            lambda: actions.approve("shop", None, "ada"),
            lambda: actions.pause("shop", timedelta(minutes=5), "x", "ada"),
            lambda: actions.resume("shop", "ada"),
            lambda: actions.preview("shop", None, "ada"),
        ]
        try:
            orders[how % len(orders)]()
        except (Refused, UnknownName, Conflict, Unavailable):
            pass  # they are told so
        except Killed:
            self.restart()

    def calm(self) -> None:
        """Nothing happens any more, and all is well."""
        self._well(0)
        self.witness.kill_in, self.witness.refusals, self.sworn.kill = None, 0, None
        self.world.phase, self.world.state, self.world.exits = Phase.complete, "running", []
        self.world.ended_abnormally = False
        self.pass_time(20)
        self.pass_time(QUIET.total_seconds(), step=5)


HARMLESS = (
    "good_deploy", "well", "no_data", "source_error", "outage", "restart", "die", "full_disk", "jump", "take_down",
    "bring_up",
)  # fmt: skip
HARM = ("deploy", "arrive", "bad_deploy", "bad_deploy", "bad_deploy", "crash", "fail", "slow")
TROUBLE = ("act_fails", "lose", "die_in_the_act", "die_in_the_act")
PEOPLE = ("person",)


def happenings(*names: str) -> st.SearchStrategy[list[tuple[str, int]]]:
    """What happens, in order, each with a number that says how."""
    return st.lists(st.tuples(st.sampled_from(names), st.integers(0, 100)), min_size=1, max_size=14)
