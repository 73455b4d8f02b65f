"""`watchdog run` as a process of its own, as a user would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from ruamel.yaml import YAML

from tests.real.docker_engine import Project, free_port
from tests.waiting import wait_until, within
from watchdog.model.incident import Event, EventKind
from watchdog.model.watch import Watch, WatchState
from watchdog.store import open_store

PROGRAM = Path(sys.executable).parent / "watchdog"
WATCH = {"bake_time": "30m", "initial_delay": "1s", "interval": "1s", "settle": "1s", "rollout_timeout": "10m"}
"""It looks often, and what must not run out has all the time that a busy machine needs."""
PASSES = {"bake_time": "12s"}
"""For a version that is to become known good. Every other watch is to end by what it sees."""


class Daemon:
    """The daemon, its config and its state. `target` is the name of the one that the tests ask about."""

    def __init__(
        self, folder: Path, document: Mapping[str, Any], environment: Mapping[str, str], target: str = "shop"
    ) -> None:
        self.folder, self.target = folder, target
        self.config = folder / "watchdog.yaml"
        self.port = free_port()
        with self.config.open("w") as file:
            YAML().dump({"store": "sqlite:///state.db", "http": {"listen": f"127.0.0.1:{self.port}"}, **document}, file)
        self.environment = {**environment, "HOME": str(folder)}
        self._process: subprocess.Popen[bytes] | None = None
        self.store = open_store(f"sqlite:///{folder}/state.db")

    def start(self, *, seen: bool = True) -> None:
        """Start it, and wait until it knows what runs; with `seen=False`, until it turns."""
        with (self.folder / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "run", "-c", str(self.config)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        known = (lambda: self.store.bookmark(self.target) is not None) if seen else self._turns
        self.until(known, "the daemon to see its target")

    def _turns(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=within(2)).ok
        except requests.RequestException:
            return False

    def recorded(self) -> None:
        """Wait until what runs was recorded: a deploy can be undone from then on."""
        self.until(
            lambda: any(r.recorded for r in self.store.revisions(self.target)), "the running revision's recording"
        )

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        """End it; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(number)
        try:
            return process.wait(within(20))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(within(10))
            raise

    def close(self) -> None:
        self.stop()
        self.store.close()

    def run(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One command of the CLI, as a person in the same environment."""
        done = subprocess.run(
            [PROGRAM, *args, "-c", str(self.config)],
            env={**self.environment, "COLUMNS": "120"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within(60),
            check=False,
        )
        assert not check or done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def log(self) -> str:
        path = self.folder / "daemon.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def until(self, true: Any, what: str, seconds: float = 40) -> None:
        """Wait for it; on failure say what the daemon saw."""

        def there() -> object:
            ended = self._process.poll() if self._process is not None else None
            assert ended is None, f"the daemon ended with {ended}, while waiting for: {what}"
            return true()

        try:
            wait_until(there, what, seconds)
        except AssertionError as error:
            story = "\n".join(f"{e.at:%H:%M:%S.%f} {e.message}" for e in self.store.events(target=self.target))
            raise AssertionError(f"{error}\n--- story\n{story}\n--- log\n{self.log()}") from error

    def watch(self) -> Watch | None:
        """The latest watch."""
        return next(iter(self.store.watches(self.target, limit=1)), None)

    def until_state(self, state: WatchState, revision: str | None = None, seconds: float = 60) -> Watch:
        """Wait until the latest watch (of that revision) is in this state."""

        def there() -> bool:
            watch = self.watch()
            return watch is not None and watch.state is state and revision in (None, watch.revision)

        self.until(there, f"the watch of {revision or 'the deploy'} to be {state.value}", seconds)
        watch = self.watch()
        assert watch is not None
        return watch

    def events(self) -> list[Event]:
        return [e for e in self.store.events(target=self.target) if e.kind is not EventKind.note]

    def kinds(self) -> list[str]:
        return [e.kind.value for e in self.events()]


def guarding(project: Project, folder: Path, config: Mapping[str, Any], **target: Any) -> Daemon:
    """A daemon whose target `shop` is this Compose project; `target` adds to it or replaces."""
    shop = {
        "name": "shop",
        "environment": "production",
        "compose": {"project": project.name, "files": [project.file.name], "directory": str(project.directory)},
        "rollback": {"verify_for": "3s", "verify_timeout": "10m", "first_known_good": "running", "cooldown": "0s"},
        **target,
        "watch": {**WATCH, **target.get("watch", {})},
    }
    return Daemon(folder, {**config, "targets": [shop]}, project.engine.environment)


def environment_of(container: Mapping[str, Any]) -> dict[str, str]:
    """A container's environment, from `docker inspect`."""
    return dict(line.split("=", 1) for line in container["Config"]["Env"])


os.environ.pop("WATCHDOG_CONFIG", None)
