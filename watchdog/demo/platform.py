"""The programs of the demo's command target: `status`, `history`, `rollback`, `logs`, and `deploy` for the deployer.

    python -m watchdog.demo.platform FOLDER status | history | logs | deploy VERSION | rollback VERSION

Small programs around what the host keeps in its folder, as a wrapper of systemd or Nomad would be. Exit code 1, with
the reason on standard error, when the answer is no.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watchdog.demo.state import State

WITHIN = 15.0
"""Seconds a rollback may take."""
LOG_LINES = 60


class No(Exception):
    """The answer is no, and why."""


def status(state: State) -> str:
    """What runs now."""
    return json.dumps(_running(state))


def history(state: State) -> str:
    """The versions there are, newest first."""
    return json.dumps(state.history)


def logs(state: State) -> str:
    """The end of the service's log."""
    text = state.log.read_text(encoding="utf-8", errors="replace") if state.log.exists() else ""
    return "\n".join(text.splitlines()[-LOG_LINES:])


def deploy(state: State, version: str) -> str:
    """Order a version, and return at once: whether it is any good is seen by whoever watches."""
    if state.release(version) is None:
        raise No(f"there is no release {version}")
    _running(state)
    state.add_to_history(version)
    state.want(version)
    return f"{version} is on its way"


def rollback(state: State, version: str) -> str:
    """Order an older version, and wait until it serves. Safe to run twice."""
    if version not in state.history:
        raise No(f"{version} was never deployed; the history has {', '.join(state.history) or 'nothing'}")
    state.want(version)
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        found = _running(state)
        if found["revision"] == version and found["phase"] == "complete":
            return f"{version} serves again"
        time.sleep(0.05)
    raise No(f"{version} does not serve after {WITHIN:g} s")


def _running(state: State) -> dict[str, Any]:
    found = state.running
    if found is None or not _alive(found["host"]):
        raise No("the host does not run")
    answer: dict[str, Any] = found["status"]
    return answer


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


PROGRAMS: dict[str, Callable[..., str]] = {
    "status": status,
    "history": history,
    "logs": logs,
    "deploy": deploy,
    "rollback": rollback,
}


def main(argv: list[str]) -> int:
    """Run one program. Returns its exit code."""
    wants = {"deploy": 3, "rollback": 3}.get(argv[1] if len(argv) > 1 else "", 2)
    if len(argv) != wants or argv[1] not in PROGRAMS:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        sys.stdout.write(PROGRAMS[argv[1]](State(Path(argv[0])), *argv[2:]) + "\n")
    except No as no:
        sys.stderr.write(f"{no}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
