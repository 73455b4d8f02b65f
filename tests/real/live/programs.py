"""The programs of a live service's command target, and of the person who deploys it.

    python programs.py FOLDER history | deploy VERSION | rollback VERSION | restart | stop

Standard library only, and run from anywhere. They replace the process for real: the old one is ended, the new one is
started, and they return when it serves. `status` is a shell script that prints what they wrote down (STATUS).
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STATUS = """\
#!/bin/sh
if kill -0 "$(cat pid)"; then cat status.json; else echo '{"revision": "", "phase": "complete"}'; fi
"""
WITHIN = 60.0
"""Seconds that a start or an end may take."""


class Place:
    """A service's folder. `service.json`: name, port, guardian, root, and what each version is (releases)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = json.loads((folder / "service.json").read_text())

    def write(self, name: str, text: str) -> None:
        """At once: the watchdog may be reading it."""
        whole = self.folder / f"{name}.new"
        whole.write_text(text)
        whole.rename(self.folder / name)

    @property
    def history(self) -> list[str]:
        path = self.folder / "history.json"
        return json.loads(path.read_text()) if path.exists() else []

    @property
    def revision(self) -> str:
        return str(json.loads((self.folder / "status.json").read_text())["revision"])

    def say(self, version: str, phase: str, process: int) -> None:
        instance = {"id": str(process), "service": "api", "name": f"{self.settings['name']}-api-1"}
        status = {"revision": version, "phase": phase, "summary": f"release {version}", "instances": [instance]}
        self.write("status.json", json.dumps(status))


def history(place: Place) -> None:
    print(json.dumps(place.history))


def deploy(place: Place, version: str) -> None:
    place.write("history.json", json.dumps([version, *place.history]))
    replace(place, version)


def rollback(place: Place, version: str) -> None:
    if version not in place.history:
        sys.exit(f"{version} was never deployed")
    replace(place, version)


def restart(place: Place) -> None:
    """The same version in a new process: no deploy."""
    replace(place, place.revision)


def stop(place: Place) -> None:
    path = place.folder / "pid"
    if not path.exists():
        return
    process = int(path.read_text())
    for number, seconds in ((signal.SIGTERM, WITHIN / 2), (signal.SIGKILL, WITHIN / 2)):
        if ours(process, place):
            os.kill(process, number)
        deadline = time.monotonic() + seconds
        while ours(process, place) and time.monotonic() < deadline:
            time.sleep(0.02)
    path.unlink()


def replace(place: Place, version: str) -> None:
    stop(place)
    settings = place.settings
    argv = [sys.executable, "-S", "-m", "tests.real.live.service", "--port", str(settings["port"])]
    argv += ["--release", settings["releases"][version], "--container", f"{settings['name']}-api-1"]
    argv += ["--guardian", str(settings["guardian"]), "--seed", str(next_seed(place))]
    with (place.folder / "service.log").open("ab") as log:
        process = subprocess.Popen(
            argv,
            cwd=settings["root"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives this program
        )
    place.write("pid", str(process.pid))
    place.say(version, "arriving", process.pid)
    deadline = time.monotonic() + WITHIN
    while not serves(settings["port"]):
        if time.monotonic() > deadline or process.poll() is not None:
            sys.exit(f"{version} does not serve: {(place.folder / 'service.log').read_text()[-1000:]}")
        time.sleep(0.05)
    place.say(version, "complete", process.pid)


def next_seed(place: Place) -> int:
    """Another one for each start, the same in each run."""
    path = place.folder / "starts"
    starts = int(path.read_text()) + 1 if path.exists() else 1
    path.write_text(str(starts))
    return int(place.settings["seed"]) + starts


def ours(process: int, place: Place) -> bool:
    """Whether that process still is this service: not gone, not a zombie, nobody else's number by now."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z" and b"tests.real.live.service" in words and str(place.settings["port"]).encode() in words


def serves(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


PROGRAMS = {"history": history, "deploy": deploy, "rollback": rollback, "restart": restart, "stop": stop}

if __name__ == "__main__":
    PROGRAMS[sys.argv[2]](Place(Path(sys.argv[1])), *sys.argv[3:])
