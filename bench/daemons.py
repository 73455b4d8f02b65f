"""`watchdog run` as a process of its own: how to configure, start and end one, and what an idle and a busy one cost.

Idle: one command target, asked every second (the default), nothing deployed. Busy: a deploy is watched with 12 rules,
each measured every second. Both have their HTTP and a Prometheus source. Programs that the daemon runs count as its own
processor time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.processes import cpu_shares, resident_mb, running, wait_until
from bench.prometheus import serving
from bench.report import Baseline, Result, Row
from watchdog.model.watch import Watch, WatchState
from watchdog.store import open_store

MEMORY_MB = 100
IDLE_PERCENT = 1
WATCHDOG = Path(sys.executable).parent / "watchdog"
READY_SECONDS = 30
WINDOWS, WINDOW_SECONDS = 5, 6.0
PACKS = ["crash", "health", "latency", "errors", "memory", "cpu"]

# The same modules as the daemon, which then do nothing; and the least that can ask a program once a second.
IMPORTS_ONLY = (
    "import signal, watchdog.cli, watchdog.app, watchdog.daemon, watchdog.observe.command, watchdog.act.command, "
    "watchdog.observe.prometheus.gauge; signal.pause()"
)
LEAST_POLLER = """
import subprocess, sys, time
while True:
    subprocess.run(sys.argv[1:], capture_output=True, check=True, timeout=5)
    time.sleep(1)
"""


def measure(directory: Path) -> Iterator[Row]:
    """Memory and processor time, idle and busy, of two daemons one after the other."""
    _warm_up(_made(directory / "warm"))
    yield from _idle(_made(directory / "idle"))
    yield from _busy(_made(directory / "busy"))


def _warm_up(place: Path) -> None:
    """The first start after an install compiles modules, and needs more memory for that."""
    deploy(place, "v1")
    with serving() as prometheus, daemon_of(write_config(place, _target(place, {"rules": PACKS}), prometheus)):
        pass


def _idle(place: Path) -> Iterator[Row]:
    deploy(place, "v1")
    with ExitStack() as stack:
        prometheus = stack.enter_context(serving())
        config = write_config(place, _target(place, {"rules": PACKS}), prometheus)
        daemon = stack.enter_context(daemon_of(config))
        imports = stack.enter_context(running([sys.executable, "-c", IMPORTS_ONLY], place / "imports.log"))
        argv = [sys.executable, "-c", LEAST_POLLER, *_status(place)]
        poller = stack.enter_context(running(argv, place / "poller.log"))
        cpu_shares([daemon], windows=1, seconds=3)  # starting is not idling
        ours, least = cpu_shares([daemon, poller.pid], WINDOWS, WINDOW_SECONDS)
        bare = resident_mb(imports.pid)
        memory = (resident_mb(daemon),)
    against = Baseline("its imports, asleep", bare)
    yield Result("idle daemon, memory", "MB", memory, aim=MEMORY_MB, baseline=against)
    against = Baseline("the least program that asks the same", median(least))
    yield Result("idle daemon, processor", "% of a core", ours, aim=IDLE_PERCENT, baseline=against)
    yield Result("idle daemon's imports, asleep: memory", "MB", (bare,), aim=MEMORY_MB)


def _busy(place: Path) -> Iterator[Row]:
    deploy(place, "v1")
    queries = [{"name": f"rule-{n}", "prometheus": f'up{{job="{n}"}}', **_RULE} for n in range(12)]
    fields = {"rules": queries, "watch": {"interval": "1s", "initial_delay": "0s", "bake_time": "1h"}}
    with serving() as prometheus:
        config = write_config(place, _target(place, fields), prometheus)
        with daemon_of(config) as daemon:
            wait_until(lambda: bookmarked(config), "the daemon to see v1", READY_SECONDS)
            (idle,) = cpu_shares([daemon], windows=2, seconds=WINDOW_SECONDS)
            deploy(place, "v2")
            wait_until(lambda: _watching(config), "the deploy to settle", READY_SECONDS)
            (busy,) = cpu_shares([daemon], WINDOWS, WINDOW_SECONDS)
            memory = (resident_mb(daemon),)
            made = _measurements(config)
    if made < len(queries) * WINDOWS * WINDOW_SECONDS / 2:
        raise RuntimeError(f"the busy daemon was not busy: {made} measurements were stored")
    yield Result("busy daemon (12 rules a second), memory", "MB", memory, aim=MEMORY_MB)
    against = Baseline("the same daemon before the deploy", median(idle))
    yield Result("busy daemon (12 rules a second), processor", "% of a core", busy, baseline=against)


_RULE = {"trigger": "performance", "summary": "it is down", "fail_when": "value > 100", "for": "30s"}


def deploy(place: Path, revision: str) -> None:
    """Change what the command target's `status` prints, in one piece."""
    text = json.dumps({"revision": revision, "phase": "complete"})
    written = place / "status.new"
    written.write_text(text)
    written.replace(place / "status.json")


def write_config(place: Path, target: Mapping[str, Any], prometheus: str | None = None) -> Path:
    """A config beside its state. JSON is YAML."""
    config: dict[str, Any] = {
        "store": "sqlite:///state.db",
        "http": {"listen": "127.0.0.1:0"},
        "targets": [target],
    }
    if prometheus is not None:
        config["sources"] = {"prometheus": {"url": prometheus}}
    file = place / "watchdog.yaml"
    file.write_text(json.dumps(config, indent=2))
    return file


@contextmanager
def daemon_of(config: Path, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """`watchdog run`, from when it guards until it has ended; its process id."""
    log = config.with_suffix(".log")
    with running([str(WATCHDOG), "run", "-c", str(config)], log, {**os.environ, **(environment or {})}) as process:

        def guards() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"watchdog run ended with code {process.returncode}")
            return " guarding " in log.read_text(errors="replace")

        wait_until(guards, "the daemon to start", READY_SECONDS)
        yield process.pid
        process.send_signal(signal.SIGTERM)
        if process.wait(READY_SECONDS) != 0:
            raise RuntimeError(f"watchdog run ended with code {process.returncode}")


def watches(config: Path) -> list[Watch]:
    """What the daemon has stored of its target's watches, newest first."""
    with closing(open_store(f"sqlite:///{config.parent / 'state.db'}")) as store:
        return store.watches()


def bookmarked(config: Path) -> bool:
    """Whether the daemon has seen what runs."""
    with closing(open_store(f"sqlite:///{config.parent / 'state.db'}")) as store:
        return store.bookmark("bench") is not None


def _watching(config: Path) -> bool:
    return any(watch.state is WatchState.watching for watch in watches(config))


def _measurements(config: Path) -> int:
    return sum(progress.measured for watch in watches(config) for progress in watch.progress.values())


def _target(place: Path, fields: Mapping[str, Any]) -> dict[str, Any]:
    status = _status(place)
    command = {"status": status, "history": ["/bin/echo", '["v1"]'], "rollback": ["/bin/echo", "{{ revision }}"]}
    return {"name": "bench", "vars": {"job": "bench"}, "command": command, **fields}


def _status(place: Path) -> list[str]:
    return ["/bin/cat", str(place / "status.json")]


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
