"""A small service under the command platform, as a user would set it up: one program, its state, and a config."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import requests

from tests.waiting import wait_until, within
from watchdog.cli import main
from watchdog.cli.common import out

REPOSITORY = Path(__file__).parents[2]
HOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "open-sesame-0123456789"
PROMETHEUS_PASSWORD = "correct-horse-battery"
SECRETS = {"HOOK_SECRET": HOOK_SECRET, "WATCHDOG_TOKEN": TOKEN, "PROMETHEUS_PASSWORD": PROMETHEUS_PASSWORD}

_PROGRAM = """\
import json, os, pathlib, sys, time
here = pathlib.Path(__file__).parent
state = json.loads((here / "state.json").read_text())
what = sys.argv[1]
if what == "status":
    if state["status_fails"]:
        sys.exit(state["status_fails"])
    print(json.dumps({
        "revision": state["running"], "phase": state["phase"], "summary": "api " + state["running"],
        "instances": [{"id": "api-1", "service": "api"}], "exits": state["exits"],
    }))
elif what == "history":
    print(json.dumps(state["history"]))
elif what == "logs":
    print("a line of the log, DB_PASSWORD=hunter2000")
elif what == "healthy":
    sys.exit(0 if state["running"] not in state["sick"] else 1)
elif what == "rollback":
    with (here / "acts").open("a") as acts:
        acts.write(sys.argv[2] + "\\n")
    until = time.monotonic() + 600
    while (here / "halt").exists() and time.monotonic() < until:
        time.sleep(0.02)
    if state["rollback_fails"]:
        sys.exit("the deploy script gave up")
    state = json.loads((here / "state.json").read_text()) | {"running": sys.argv[2], "exits": [], "phase": "complete"}
    (here / "state.new").write_text(json.dumps(state))
    os.replace(here / "state.new", here / "state.json")
"""

_CONFIG = """\
store: sqlite:///state.db
{http}
receivers: [{receivers}]
targets:
"""

_TARGET = """\
  - name: {name}
    environment: {environment}
    command:
      status: [{python}, -S, {folder}/program.py, status]
      history: [{python}, -S, {folder}/program.py, history]
      rollback: [{python}, -S, {folder}/program.py, rollback, "{{{{ revision }}}}"]
      logs: [{python}, -S, {folder}/program.py, logs]
      poll: 500ms
    rules:
      - {{name: crash-loop, trigger: crash, summary: "{{{{ release }}}} keeps crashing", crashes: exits,
         fail_when: value >= 2, consecutive_failures: 1}}
    probes:
      - {{name: api, command: [{python}, -S, {folder}/program.py, healthy], consecutive_failures: 2, action: {action}}}
    watch: {{bake_time: {bake_time}, initial_delay: 0s, interval: 500ms, settle: 100ms}}
    rollback: {{verify_for: 600ms, verify_timeout: 100s, timeout: 200s, cooldown: 0s, first_known_good: {first}}}
    receivers: [{receivers}]
    mode: {mode}
"""


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Service:
    """What is true of one target; tests change it as deploys and crashes would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "program.py").write_text(_PROGRAM)
        self._state: dict[str, Any] = {
            "running": "v1", "phase": "complete", "exits": [], "history": ["v1"], "sick": [],
            "rollback_fails": False, "status_fails": "",
        }  # fmt: skip
        self.set()

    def set(self, **changes: Any) -> None:
        self._state |= changes
        new = self.folder / "state.test"
        new.write_text(json.dumps(self._state))
        new.replace(self.folder / "state.json")

    def deploy(self, revision: str) -> None:
        self.set(running=revision, exits=[], history=[revision, *(r for r in self._state["history"] if r != revision)])

    def crash(self, times: int = 2) -> None:
        exits = [
            {"instance": "api-1", "service": "api", "at": datetime.now(UTC).isoformat(), "exit_code": 3}
            for _ in range(times)
        ]
        self.set(exits=exits)

    def halt(self) -> None:
        """A rollback does not get past its beginning, until `go_on`."""
        (self.folder / "halt").touch()

    def go_on(self) -> None:
        (self.folder / "halt").unlink()

    @property
    def running(self) -> str:
        return str(json.loads((self.folder / "state.json").read_text())["running"])

    @property
    def acts(self) -> list[str]:
        """Every revision that the rollback program was asked for."""
        path = self.folder / "acts"
        return path.read_text().split() if path.exists() else []


class Shop:
    """A config, its services, and the commands run on it as subprocesses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "watchdog.yaml"
        self.environ = {**SECRETS}
        self.services: dict[str, Service] = {}
        self.write()

    @property
    def service(self) -> Service:
        return self.services["shop"]

    def write(
        self,
        targets: dict[str, str] | None = None,
        *,
        http: int | None = None,
        receivers: dict[str, str] | None = None,
        extra: str = "",
        **changes: str,
    ) -> None:
        """The config. `targets`: name → environment; `receivers`: name → URL; `changes`: fields of each target."""
        receivers = receivers or {}
        fields = {"first": "running", "bake_time": "1500ms", "mode": "enforce", "action": "rollback"} | changes
        hooks = ", ".join(
            f'{{name: {name}, webhook: {{url: "{url}", secret: {{env: HOOK_SECRET}}, timeout: 20s}}}}'
            for name, url in receivers.items()
        )
        listen = f'http: {{listen: "127.0.0.1:{http}", token: {{env: WATCHDOG_TOKEN}}}}' if http else ""
        text = _CONFIG.format(http=listen, receivers=hooks) + "".join(
            _TARGET.format(
                name=name,
                environment=environment,
                python=sys.executable,
                folder=self._service(name).folder,
                receivers=", ".join(receivers),
                **fields,
            )
            for name, environment in (targets or {"shop": "production"}).items()
        )
        self.config.write_text(text + extra)

    def _service(self, name: str) -> Service:
        if name not in self.services:
            self.services[name] = Service(self.folder / name)
        return self.services[name]

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}}
        return {**kept, "COLUMNS": "200", "PYTHONWARNINGS": "ignore", "SUDO_USER": "ada", **self.environ}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command under way; whoever starts it ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "watchdog", *words],
            cwd=REPOSITORY, env={**self._environment, "WATCHDOG_CONFIG": str(self.config)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: str) -> Done:
        """A command, to its end: `main` itself, in this process, since starting one takes a second."""
        printed, complained = io.StringIO(), io.StringIO()
        environment = {**self._environment, "WATCHDOG_CONFIG": str(self.config)}
        code = 0
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch.object(sys, "argv", ["watchdog", *words]),
            mock.patch.object(out, "_width", 200),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(complained),
        ):
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0
        return _without_secrets(Done(code, printed.getvalue(), complained.getvalue()))

    @contextlib.contextmanager
    def daemon(self, **changes: Any) -> Iterator[str]:
        """A running `watchdog run`; gives the URL of its HTTP. `changes` as for `write`."""
        port = free_port()
        self.write(http=port, **changes)
        process = self.start("run")
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: process.poll() is not None or answers(url + "/readyz") == 200, "the daemon is ready")
            if process.poll() is None:
                yield url
        finally:
            process.terminate()
            done = _without_secrets(Done(process.returncode, *ended(process)))
        assert process.returncode == 0, done.err


def _without_secrets(done: Done) -> Done:
    for name, secret in SECRETS.items():
        assert secret not in done.out + done.err, f"{name} was shown"
    return done


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The rest of what it printed; killed when it does not end by itself in time."""
    try:
        return process.communicate(timeout=within(20)) if process.stdout and not process.stdout.closed else ("", "")
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end: {out}{err}") from None


def answers(url: str) -> int | None:
    """The status code, or None when nobody listens."""
    try:
        return requests.get(url, timeout=within(5)).status_code
    except requests.RequestException:
        return None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
