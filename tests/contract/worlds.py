"""The things a platform and its actor are asked about, in one form for all of them.

A new platform joins the suite with one class here that keeps this form, and one line in conftest.py.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from tests.cli.shop import Service
from watchdog.act.base import Actor
from watchdog.act.command import CommandActor
from watchdog.model.target import Target
from watchdog.observe.base import Platform
from watchdog.observe.command import CommandPlatform
from watchdog.testing import EPOCH, FakeActor, FakePlatform, World


class Case(Protocol):
    """One target, its platform and actor, and what a test may do to it. v1 runs at first."""

    target: Target
    actor: Actor

    def platform(self) -> Platform:
        """A platform as a new process would make it."""
        ...

    def deploy(self, name: str) -> None: ...

    def crash(self) -> None:
        """A service of it ends abnormally, and is started again."""
        ...

    def break_it(self) -> None:
        """It answers nothing from now on."""
        ...

    def fail_acts(self) -> None: ...

    def lose(self, name: str) -> None:
        """That revision can't be brought back any more."""
        ...

    def running(self) -> str: ...

    def acts(self) -> int:
        """How often something was really brought back."""
        ...


def _target(folder: Path) -> Target:
    def argv(*words: str) -> list[str]:
        return [sys.executable, "-S", str(folder / "program.py"), *words]

    return Target.model_validate(
        {
            "name": "shop",
            "spec": {
                "kind": "command", "status": argv("status"), "history": argv("history"),
                "rollback": argv("rollback", "{{ revision }}"), "logs": argv("logs"),
                "poll": timedelta(milliseconds=50), "timeout": timedelta(seconds=100),
            },
            "rollback": {"timeout": timedelta(seconds=200)},
        }
    )  # fmt: skip


class Fake:
    """What is shipped for tests keeps the promises of the real things."""

    def __init__(self, folder: Path) -> None:
        self.target = _target(folder)
        self._worlds = {"shop": World()}
        self._world = self._worlds["shop"]
        self.actor = FakeActor(self._worlds)

    def platform(self) -> Platform:
        return FakePlatform(self._worlds)

    def deploy(self, name: str) -> None:
        self._world.deploy(name)
        if self._world.wake is not None:
            self._world.wake("shop")

    def crash(self) -> None:
        self._world.crash(EPOCH)
        if self._world.wake is not None:
            self._world.wake("shop")

    def break_it(self) -> None:
        self._world.broken = "it does not answer"

    def fail_acts(self) -> None:
        self._world.act_fails = "it gave up"

    def lose(self, name: str) -> None:
        self._world.lost.add(name)

    def running(self) -> str:
        return self._world.running

    def acts(self) -> int:
        return len(self._world.acts)


class Command:
    """Real programs."""

    def __init__(self, folder: Path) -> None:
        self._service = Service(folder / "shop")
        self.target = _target(self._service.folder)
        self.actor = CommandActor()

    def platform(self) -> Platform:
        return CommandPlatform()

    def deploy(self, name: str) -> None:
        self._service.deploy(name)

    def crash(self) -> None:
        self._service.crash(times=1)

    def break_it(self) -> None:
        self._service.set(status_fails="it does not answer")

    def fail_acts(self) -> None:
        self._service.set(rollback_fails=True)

    def lose(self, name: str) -> None:
        self._service.set(history=[])

    def running(self) -> str:
        return self._service.running

    def acts(self) -> int:
        return len(self._service.acts)
