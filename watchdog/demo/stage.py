"""Where the demo's service runs. The command stage: a host of our own, and the programs of a command target."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from watchdog.demo import Fault
from watchdog.demo.config import SERVICE
from watchdog.demo.proof import serves
from watchdog.demo.state import State
from watchdog.subprocesses import minimal_environment, run

GOOD, BAD = "v1", "v2"
UP_WITHIN = 30.0
"""Seconds for the first version to serve. It takes one; a machine that is busy with ten other things needs more."""


class NoStage(Exception):
    """The stage can't be built on this machine: what is missing, and what to try."""


class StageFailed(Exception):
    """The stage was built, and did not do what it should: what it said."""


class Stopped(Exception):
    """Someone pressed Ctrl-C."""


class Stage(Protocol):
    """Brings versions of the service up. Its calls take a while, and end early when `cancel` is set."""

    kind: str
    name: str
    """Of the target."""
    port: int

    def target(self) -> dict[str, Any]:
        """The target's platform, as the config file has it."""
        ...

    def start(self, cancel: threading.Event) -> None:
        """Bring the good version up, until it serves. Raises NoStage, StageFailed, Stopped."""
        ...

    def deploy(self, cancel: threading.Event) -> None:
        """Deploy the bad version, as a person would. Raises StageFailed, Stopped."""
        ...

    def close(self) -> None:
        """Take everything away. May be called at any time, and twice."""
        ...


class CommandStage:
    """A supervisor and its service: two processes on this machine."""

    kind = "command"
    name = SERVICE

    def __init__(self, folder: Path, fault: Fault) -> None:
        self.port = free_port()
        self._folder = folder / "host"
        self._folder.mkdir()
        self._state = State(self._folder)
        self._fault = fault
        self._host: subprocess.Popen[bytes] | None = None

    def target(self) -> dict[str, Any]:
        """The programs around the host's folder."""
        return {
            "status": self._program("status"),
            "history": self._program("history"),
            "rollback": self._program("rollback", "{{ revision }}"),
            "logs": self._program("logs"),
            "timeout": "5s",
            "poll": "500ms",
        }

    def start(self, cancel: threading.Event) -> None:
        """Start the host, and deploy the good version."""
        self._state.add_release(GOOD, fault=Fault.none)
        self._state.add_release(BAD, fault=self._fault)
        argv = [sys.executable, "-m", "watchdog.demo.host", str(self._folder)]
        argv += ["--port", str(self.port), "--parent", str(os.getpid())]
        with (self._folder / "host.log").open("wb") as log:
            # A session of its own: Ctrl-C in the terminal is for us, and we end it in order.
            self._host = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )
        wait_for(lambda: self._state.running is not None, "the host to run", cancel, self._trouble)
        self._ordered(GOOD, cancel)
        wait_for(lambda: serves(self.port, GOOD), f"{GOOD} to serve", cancel, self._trouble)

    def deploy(self, cancel: threading.Event) -> None:
        """Order the bad version."""
        self._ordered(BAD, cancel)

    def close(self) -> None:
        """End the host, and with it the service."""
        if self._host is None:
            return
        self._host.terminate()
        try:
            self._host.wait(5)
        except subprocess.TimeoutExpired:
            self._host.kill()  # its service sees that its parent is gone
            self._host.wait(5)
        self._host = None

    def _program(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "watchdog.demo.platform", str(self._folder), *words]

    def _ordered(self, version: str, cancel: threading.Event) -> None:
        argv = self._program("deploy", version)
        done = run(argv, timeout=timedelta(seconds=10), cwd=self._folder, env=minimal_environment(), cancel=cancel)
        if cancel.is_set():
            raise Stopped
        if not done.ok:
            raise StageFailed(f"the deploy of {version} {done.outcome}: {done.last_words}")

    def _trouble(self) -> str:
        texts = [path.read_text(errors="replace") for path in (self._folder / "host.log", self._state.log)
                 if path.exists()]  # fmt: skip
        return "\n".join(texts)[-2000:]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(
    true: Callable[[], bool],
    what: str,
    cancel: threading.Event,
    trouble: Callable[[], str] = str,
    within: float = UP_WITHIN,
) -> None:
    """Ask again every 0.1 s until it is so. Raises Stopped, or StageFailed with what was said meanwhile."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            raise StageFailed(f"waited {within:g} s for {what}\n{trouble()}".rstrip())
        if cancel.wait(0.1):
            raise Stopped
