"""The demo's host: a tiny supervisor, as systemd or Nomad would be. It keeps the wanted version running.

A process of its own; it ends on SIGTERM, or by itself when its parent is gone, and its service ends with it.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watchdog.demo.config import SERVICE
from watchdog.demo.state import State

LOOK = 0.05
"""Seconds between looks at what is wanted and what runs."""
BACK_OFF = (0.3, 0.6, 1.2, 2.0)
"""Seconds before the first, second, … restart of a version; the last one for all that follow."""
GRACE = 2.0
"""Seconds from SIGTERM to SIGKILL."""
KEPT_EXITS = 20


class Host:
    """Keeps one service as wanted."""

    def __init__(self, state: State, port: int) -> None:
        self._state, self._port = state, port
        self._process: subprocess.Popen[bytes] | None = None
        self._version = ""
        self._instance = 0
        self._served = False
        self._started_at = datetime.now(UTC)
        self._restart_at: float | None = None
        self._restarts = 0
        self._exits: list[dict[str, Any]] = []
        self._said: dict[str, Any] = {}

    def turn(self) -> None:
        """Follow the order, tend the process, say what is true."""
        wanted = self._state.wanted
        if wanted is not None and wanted != self._version:
            self._replace(wanted)
        self._tend()
        if self._process is not None and not self._served:
            self._served = self._answers()
        self._say()

    def close(self) -> None:
        """End the service."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(GRACE)
        self._process = None

    def _replace(self, version: str) -> None:
        self.close()
        self._version, self._served = version, False
        self._instance += 1
        self._restarts, self._exits, self._restart_at = 0, [], None
        self._start()

    def _start(self) -> None:
        release = self._state.release(self._version) or {}
        argv = [sys.executable, "-m", "watchdog.demo.service", "--port", str(self._port), "--version", self._version]
        argv += ["--fault", release.get("fault", "none"), "--parent", str(os.getpid())]
        self._started_at = datetime.now(UTC)
        with self._state.log.open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _tend(self) -> None:
        if self._process is not None and (code := self._process.poll()) is not None:
            self._ended(code)
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self._restart_at = None
            self._restarts += 1
            self._start()

    def _ended(self, code: int) -> None:
        """Nobody ordered it: that is a crash, whatever its exit code."""
        now = datetime.now(UTC)
        lived = (now - self._started_at).total_seconds()
        how = f"exited with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        found = {"instance": self._id, "service": SERVICE, "at": now.isoformat(), "exit_code": code}
        self._exits = [*self._exits, {**found, "reason": f"{how} after {lived:.1f} s"}][-KEPT_EXITS:]
        self._process = None
        self._restart_at = time.monotonic() + BACK_OFF[min(self._restarts, len(BACK_OFF) - 1)]

    def _answers(self) -> bool:
        """Whether it serves at all; whether it serves well is for others to judge."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=0.5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def _id(self) -> str:
        return f"{SERVICE}-{self._instance}"

    def _say(self) -> None:
        status = self._status()
        if status != self._said:
            self._said = status
            self._state.say(os.getpid(), status)

    def _status(self) -> dict[str, Any]:
        if not self._version:
            return {"revision": "", "phase": "complete"}
        down = self._process is None
        reason = "" if self._served else f"{self._version} does not answer yet"
        if down and self._exits:
            reason = f"{SERVICE} {self._exits[-1]['reason']}; it is restarted"
        return {
            "revision": self._version,
            "phase": "complete" if self._served else "arriving",
            "reason": reason,
            "summary": f"release {self._version}",
            "instances": [
                {
                    "id": self._id,
                    "service": SERVICE,
                    "state": "restarting" if down else "running",
                    "exit_code": self._exits[-1]["exit_code"] if down and self._exits else None,
                    "restarts": self._restarts,
                    "ended_abnormally": down,
                    "started_at": self._started_at.isoformat(),
                }
            ],
            "exits": self._exits,
        }


def main() -> None:
    """Run until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    given = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    host = Host(State(given.folder), given.port)
    try:
        while not ended.wait(LOOK) and os.getppid() == given.parent:
            host.turn()
    finally:
        host.close()


if __name__ == "__main__":
    main()
