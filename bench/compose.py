"""With a Docker engine of its own: from a crash-looping `docker compose up -d` to a service that answers again.

What Docker itself needs is measured first, without a watchdog: the same deploy, and the old version brought back by
hand in the moment the second container has crashed. The watchdog's own share is what lies between that crash and the
recovery, less the time the bringing back takes by hand.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.daemons import IDLE_PERCENT, MEMORY_MB, bookmarked, daemon_of, watches, write_config
from bench.processes import cpu_shares, resident_mb, wait_until
from bench.report import Baseline, Result, Row, Skipped
from tests.real.docker_engine import DockerEngine, Project, missing
from watchdog.model.rollback import Rollback
from watchdog.model.watch import Watch, WatchState
from watchdog.store import open_store

RUNS = 3
HEALTHY_SECONDS = 8
OWN_SECONDS = 2
SEEN_SECONDS = 1
LIMIT_SECONDS = 40
IDLE_WINDOWS, WINDOW_SECONDS = 3, 5.0


@dataclass(frozen=True)
class ByHand:
    """The same deploy without a watchdog. Times in seconds."""

    healthy: float
    """From calling `up -d` to the old version answering."""
    crashed: float
    """From calling `up -d` to the second crash."""
    brought_back: float
    """From calling `up -d` for the old version to its answering."""


@dataclass(frozen=True)
class Recovery:
    """One deploy of a crashing version under guard. Times in seconds, memory in MB."""

    healthy: float
    """From calling `up -d` to the old version answering."""
    crashed: float
    """From calling `up -d` to the second crash: what the watchdog does meanwhile may slow the deploy."""
    seen: float
    """From Docker's first container event to the watch's opening."""
    decided: float
    """From the second crash to the stored decision to roll back."""
    prepared: float
    """From there to the act: evidence, plan, guard."""
    acted: float
    """The act itself: all that is done to bring the old version back, mostly `docker compose up`."""
    memory: float


def measure(directory: Path) -> Iterator[Row]:
    """All that needs Docker; one line that says what is missing where it can't be had."""
    lacking = missing()
    if lacking:
        yield Skipped("crash-looping deploy to healthy again", lacking)
        return
    with _project(directory / "compose") as project:
        by_hand = [_by_hand(project, f"hand{number}") for number in range(RUNS)]
        config = write_config(directory / "compose", _target(project))
        with daemon_of(config, project.engine.environment) as daemon:
            wait_until(lambda: bookmarked(config), "the daemon to see the project", LIMIT_SECONDS)
            cpu_shares([daemon], windows=1, seconds=3)  # starting is not idling
            (idle,) = cpu_shares([daemon], IDLE_WINDOWS, WINDOW_SECONDS)
            idle_memory = resident_mb(daemon)
            recoveries = [_guarded(project, config, daemon, f"bad{number}") for number in range(RUNS)]
    yield from _rows(by_hand, recoveries)
    yield Result("idle daemon of a Compose project, memory", "MB", (idle_memory,), aim=MEMORY_MB)
    memory = tuple(recovery.memory for recovery in recoveries)
    against = Baseline("the same daemon, idle", idle_memory)
    yield Result("the same after a rollback, memory", "MB", memory, aim=MEMORY_MB, baseline=against)
    yield Result("idle daemon of a Compose project, processor", "% of a core", idle, aim=IDLE_PERCENT)


def _rows(by_hand: list[ByHand], recoveries: list[Recovery]) -> Iterator[Row]:
    hand = median(h.healthy for h in by_hand)
    docker = median(h.brought_back for h in by_hand)
    healthy = tuple(r.healthy for r in recoveries)
    own = tuple(r.healthy - r.crashed - docker for r in recoveries)
    against = Baseline("by hand, at the second crash", hand)
    yield Result("crash-looping `up -d` to healthy again", "s", healthy, aim=HEALTHY_SECONDS, baseline=against)
    yield Result("of which the watchdog's own share", "s", own, aim=OWN_SECONDS)
    yield Result("the same by hand, without a watchdog", "s", tuple(h.healthy for h in by_hand))
    against = Baseline("without a watchdog", median(h.crashed for h in by_hand))
    crashed = tuple(r.crashed for r in recoveries)
    yield Result("`up -d` to the second crash", "s", crashed, baseline=against)
    yield Result("second crash to the decision to roll back", "s", tuple(r.decided for r in recoveries))
    yield Result("that decision to the act (evidence, plan, guard)", "s", tuple(r.prepared for r in recoveries))
    acted = tuple(r.acted for r in recoveries)
    yield Result(
        "the act (`docker compose up` and what surrounds it)", "s", acted, baseline=Baseline("by hand", docker)
    )
    seen = tuple(r.seen for r in recoveries)
    yield Result("first container of a deploy to open watch", "s", seen, aim=SEEN_SECONDS)


@contextmanager
def _project(directory: Path) -> Iterator[Project]:
    """The tests' Compose project, up in version 1, on an engine of its own; nothing of either is left afterwards."""
    directory.mkdir()
    engine = DockerEngine()
    try:
        engine.start()
        project = Project(engine, directory)
        try:
            project.up()
            project.wait_for("1")
            yield project
        finally:
            project.down()
    finally:
        engine.remove()


def _by_hand(project: Project, version: str) -> ByHand:
    """What Docker needs: someone with no reaction time at all brings the old version back."""
    project.image("api", version, "crash")
    since, began = time.time(), time.monotonic()
    project.up(API_IMAGE=f"{project.name}-api:{version}", check=False)
    wait_until(lambda: len(_events(project, "die", since)) >= 2, "the second crash", LIMIT_SECONDS)
    noticed = time.monotonic()
    project.compose("up", "-d", "--no-deps", "api")
    _answers(project)
    healthy = time.monotonic()
    crashed = _events(project, "die", since)[1] - since
    return ByHand(healthy=healthy - began, crashed=crashed, brought_back=healthy - noticed)


def _guarded(project: Project, config: Path, daemon: int, version: str) -> Recovery:
    """The same, and nobody brings it back but the watchdog. Ends when the recovery is proved."""
    known = {watch.id for watch in watches(config)}
    project.image("api", version, "crash")
    since, began = time.time(), time.monotonic()
    project.up(API_IMAGE=f"{project.name}-api:{version}", check=False)
    _answers(project)
    healthy = time.monotonic() - began

    def ended() -> Watch | None:
        return next((w for w in watches(config) if w.id not in known and not w.state.open), None)

    wait_until(ended, "the watch to end", LIMIT_SECONDS, every=0.2)
    watch = ended()
    if watch is None or watch.state is not WatchState.recovered or watch.condemned_at is None:
        raise RuntimeError(f"no recovery, but {watch and watch.state}: {watch and watch.end_reason}")
    rollback = _rollback(config, watch)
    if rollback is None or rollback.result is None:
        raise RuntimeError(f"the recovery of {watch.revision} has no stored rollback")
    created, crashes = _events(project, "create", since, None), _events(project, "die", since)
    return Recovery(
        healthy=healthy,
        crashed=crashes[1] - since,
        seen=watch.opened_at.timestamp() - created[0],
        decided=watch.condemned_at.timestamp() - crashes[1],
        prepared=(rollback.started_at - watch.condemned_at).total_seconds(),
        acted=rollback.result.took.total_seconds(),
        memory=resident_mb(daemon),
    )


def _rollback(config: Path, watch: Watch) -> Rollback | None:
    with closing(open_store(f"sqlite:///{config.parent / 'state.db'}")) as store:
        return store.rollback(watch.plan.id) if watch.plan else None


def _answers(project: Project) -> None:
    wait_until(lambda: project.get()[1].startswith("1"), "version 1 to answer again", LIMIT_SECONDS, every=0.02)


def _events(project: Project, kind: str, since: float, service: str | None = "api") -> list[float]:
    """When containers of the project were created, or ended with an error; by the engine's clock, which is ours."""
    labels = [f"com.docker.compose.project={project.name}"]
    labels += [f"com.docker.compose.service={service}"] if service else []
    api: Any = project.engine.client.api
    told = api.events(
        since=f"{since:.6f}",  # as text: numbers are taken for whole seconds
        until=f"{time.time():.6f}",
        filters={"type": "container", "event": kind, "label": labels},
        decode=True,
    )
    found = [event["timeNano"] / 1e9 for event in told if event["Actor"]["Attributes"].get("exitCode", "1") != "0"]
    return sorted(found)


def _target(project: Project) -> dict[str, Any]:
    place = {"project": project.name, "files": [project.file.name], "directory": str(project.directory)}
    return {
        "name": "bench",
        "compose": place,
        "rules": ["crash"],
        "probes": [{"name": "api", "http": f"http://127.0.0.1:{project.api_port}/cgi-bin/healthz"}],
        "watch": {"interval": "1s"},
        "rollback": {"verify_for": "3s", "first_known_good": "running", "cooldown": "0s", "max_per_day": 100},
    }
