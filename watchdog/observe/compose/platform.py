"""Docker Compose projects as a platform: what runs, what it was deployed from, and what a rollback would destroy.

Reads the engine's API, its events and `docker compose config`; changes nothing. A revision is a set of config hashes
and image ids: the watchdog names revisions itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from watchdog.compose.cli import Project, program
from watchdog.compose.engine import Engines, containers, host_of, own_container, service_of, translated
from watchdog.errors import Refused, Unavailable
from watchdog.model.deploy import EvidenceItem, Recorded, Revision, Snapshot
from watchdog.model.target import ComposeSpec, Target
from watchdog.observe.compose import config as compose_config
from watchdog.observe.compose import evidence as compose_evidence
from watchdog.observe.compose import instances as read
from watchdog.observe.compose.events import Ledger, Listener, replay


class ComposePlatform:
    """The `Platform` of targets with a `compose:` section."""

    resyncs = False

    def __init__(self) -> None:
        self._engines = Engines()
        self._own = own_container()
        self._lock = threading.Lock()
        self._listeners: dict[str, Listener] = {}
        self._ledgers: dict[str, Ledger] = {}

    def snapshot(self, target: Target, now: datetime, *, whole: bool = True) -> Snapshot:
        """What runs, from one list and an inspect of each container."""
        seen = self._look(target, now)
        return Snapshot(
            at=now,
            fingerprint=read.fingerprint(seen),
            summary=read.summary(seen),
            images=read.images(seen),
            instances=read.instances(seen),
            exits=read.exits(seen),
            rollout=read.rollout(seen, now),
            pods=read.pods(seen),
        )

    def record(self, target: Target, snapshot: Snapshot, previous: Revision | None) -> Recorded:
        """The resolved config, proved by hash, with images, variables, environments and mounted files' hashes."""
        seen = self._look(target, snapshot.at)
        if read.fingerprint(seen) != snapshot.fingerprint:
            raise Unavailable(f"project {_spec(target).project} changed while it was being recorded; again later")
        return compose_config.record(_spec(target), seen, previous.recorded if previous else {})

    def evidence(self, target: Target, snapshot: Snapshot) -> Sequence[EvidenceItem]:
        """Logs, states and events, secrets masked, each text of at most 256 KiB."""
        spec = _spec(target)
        seen = self._look(target, snapshot.at)
        removed = self._ledger(host_of(spec.docker_host)).removed(spec.project)
        return compose_evidence.evidence(self._engines.client(spec.docker_host), seen, removed)

    def history(self, target: Target, limit: int) -> Sequence[str]:
        """Nothing: Compose keeps no revisions."""
        return ()

    def check(self, target: Target) -> Sequence[str]:
        """The engine, the program, the files, the project: what is missing of them."""
        spec = _spec(target)
        problems = [
            f"{path} does not exist or can't be read; the target's `compose.files` are relative to {spec.directory}"
            for path in compose_config.files_named(spec)
            if not Path(path).is_file()
        ]
        try:
            program()
            if not problems:
                Project(spec).template()
        except (Refused, Unavailable) as error:
            problems.append(str(error))
        try:
            found = containers(self._engines.client(spec.docker_host), spec.project)
        except (Refused, Unavailable) as error:
            return [*problems, str(error)]
        if not found:
            problems.append(f"project {spec.project} has no containers; is it up, and is this its name?")
        used = compose_config.files_used({c.service: [c] for c in found})
        if used and used != compose_config.files_named(spec):
            problems.append(f"project {spec.project} runs from {', '.join(used)}; the target names other files")
        return problems

    def start(self, targets: Sequence[Target], wake: Callable[[str], None]) -> None:
        """Listen to each engine that the targets are on."""
        hosts: dict[str, dict[str, list[str]]] = {}
        for target in targets:
            if isinstance(target.spec, ComposeSpec):
                projects = hosts.setdefault(host_of(target.spec.docker_host), {})
                projects.setdefault(target.spec.project, []).append(target.name)
        with self._lock:
            for host, projects in hosts.items():
                self._listeners[host] = Listener(host, projects, wake)
                self._listeners[host].start()

    def stop(self) -> None:
        """Stop listening, and close all connections."""
        with self._lock:
            listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener.stop()
        self._engines.close()

    def _look(self, target: Target, now: datetime) -> list[read.Seen]:
        """The project's containers, but for those of the watchdog's own service."""
        spec = _spec(target)
        client, host = self._engines.client(spec.docker_host), host_of(spec.docker_host)
        ledger = self._ledger(host)
        listener = self._listeners.get(host)
        if listener is None or not listener.connected:
            with translated(f"reading the events of the Docker engine at {host}"):
                replay(client, ledger, now)
        found = containers(client, spec.project)
        own = service_of(found, self._own)
        return [read.Seen(c, *ledger.life(c.id)) for c in found if c.service != own]

    def _ledger(self, host: str) -> Ledger:
        with self._lock:
            listener = self._listeners.get(host)
            if listener is not None:
                return listener.ledger
            return self._ledgers.setdefault(host, Ledger())


def _spec(target: Target) -> ComposeSpec:
    if not isinstance(target.spec, ComposeSpec):
        raise Refused(f"target {target.name} is no Compose project")
    return target.spec
