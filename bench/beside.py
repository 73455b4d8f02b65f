"""Stands beside a deploy and notes when things happened, as others than the watchdog tell: containerd, at once, and the
API server. Only what happens while it stands there counts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.processes import running
from tests.real.cluster.cluster import Cluster
from watchdog.errors import WatchdogError
from watchdog.kubernetes.client import Cluster as Api
from watchdog.kubernetes.paths import CORE, path
from watchdog.kubernetes.releases import release_of, selector
from watchdog.kubernetes.stream import Stream

CRASH = 3
"""How the demo's service exits when it crashes."""
PAUSE = 0.2


class Beside:
    """Times are by this machine's clock, in seconds since 1970."""

    def __init__(self, tasks: Path) -> None:
        """`tasks`: where `ctr events` writes."""
        self._tasks = tasks
        self._lock = threading.Lock()
        self._pods = set[str]()
        self._told: dict[tuple[str, int], float] = {}
        self._releases: dict[str, float] = {}
        self._ready: dict[str, float] = {}

    @property
    def crashed(self) -> list[float]:
        """When containers crashed, by containerd."""
        return crashes_in(self._tasks.read_text())

    @property
    def told(self) -> list[float]:
        """When the API server told of the first, the second crash of a container, and so on."""
        with self._lock:
            return sorted(self._told.values())

    @property
    def releases(self) -> list[float]:
        """When the API server told of new revisions of a release."""
        with self._lock:
            return sorted(self._releases.values())

    @property
    def ready(self) -> list[float]:
        """When new pods without a fault got ready, by the API server."""
        with self._lock:
            return sorted(self._ready.values())

    def note_pod(self, kind: str, pod: Mapping[str, Any]) -> None:
        """A pod as it is now; those that were there before are none of ours."""
        at, name, status = time.time(), str(pod["metadata"]["name"]), pod.get("status") or {}
        if kind == "ADDED":
            self._pods.add(name)
        if name not in self._pods:
            return
        for container in status.get("containerStatuses") or ():
            with self._lock:
                for crash in range(1, _crashes(container) + 1):
                    self._told.setdefault((name, crash), at)
        good = _fault(pod) == "none" and not pod["metadata"].get("deletionTimestamp")
        if good and any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()):
            with self._lock:
                self._ready.setdefault(name, at)

    def note_release(self, kind: str, secret: Mapping[str, Any]) -> None:
        """A release Secret's metadata as it is now."""
        if kind != "ADDED":
            return
        at, release = time.time(), release_of(secret)
        if release is not None:
            with self._lock:
                self._releases.setdefault(f"{release.name}.v{release.version}", at)


@contextmanager
def beside(cluster: Cluster, namespace: str, directory: Path) -> Iterator[Beside]:
    """Stand there from now on: what was there before does not count."""
    tasks = directory / "tasks.log"
    tasks.write_text("")
    noted, api = Beside(tasks), Api(str(cluster.kubeconfig))
    pods = _Followed(api, path(CORE, "pods", namespace), {}, noted.note_pod)
    secrets = _Followed(api, path(CORE, "secrets", namespace), selector("secret"), noted.note_release)
    init = (cluster.state / "pid" / "init").read_text().strip()
    socket = f"/proc/{init}/root/run/containerd/containerd.sock"
    with running(["ctr", "-a", socket, "-n", "k8s.io", "events"], tasks, cluster.environment):
        try:
            pods.start()
            secrets.start()
            yield noted
        finally:
            pods.stop()
            secrets.stop()
            api.close()


def crashes_in(tasks: str) -> list[float]:
    """When containers crashed, in what `ctr events` wrote: a time, a topic and a JSON object in each line."""
    found = []
    for line in tasks.splitlines():
        when, topic, event = line.partition(" k8s.io /tasks/exit ")
        if topic and json.loads(event).get("exit_status") == CRASH:
            day, clock = when.split()[:2]
            found.append(datetime.fromisoformat(f"{day}T{clock[:15]}+00:00").timestamp())
    return sorted(found)


class _Followed:
    """A list's changes from now on, told one by one from a thread."""

    def __init__(
        self,
        api: Api,
        where: str,
        query: Mapping[str, str | int],
        note: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._api, self._where, self._query, self._note = api, where, dict(query), note
        self._stopping = threading.Event()
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        listed = self._api.get(self._where, self._query)
        self._query["resourceVersion"] = listed["metadata"]["resourceVersion"]
        self._open()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._stream is not None:
            self._stream.end()
        if self._thread.ident is not None:
            self._thread.join(5)

    def _open(self) -> None:
        self._stream = self._api.watch(self._where, self._query)

    def _run(self) -> None:
        while not self._stopping.is_set() and self._stream is not None:
            try:
                for kind, thing in self._stream:
                    self._query["resourceVersion"] = thing["metadata"]["resourceVersion"]
                    if kind in ("ADDED", "MODIFIED"):
                        self._note(kind, thing)
                self._open()
            except WatchdogError:
                self._stopping.wait(PAUSE)


def _crashes(container: Mapping[str, Any]) -> int:
    """How often a container has crashed: each restart was one, and so is an end that was not restarted yet."""
    ended = (container.get("state") or {}).get("terminated") or {}
    return int(container.get("restartCount") or 0) + int(ended.get("exitCode") == CRASH)


def _fault(pod: Mapping[str, Any]) -> str:
    (container,) = pod["spec"]["containers"]
    return next((str(e.get("value")) for e in container.get("env") or () if e["name"] == "FAULT"), "")
