"""Watches the pods of a namespace while one of its releases is being watched, so that a crash is seen when it happens.

Of a pod only a short digest is kept. A stream that nobody asked for lately ends by itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from watchdog.errors import Refused, Unavailable
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.paths import CORE, path
from watchdog.kubernetes.stream import Stream

log = logging.getLogger(__name__)

KEPT_FOR = 60.0
"""Seconds after the last whole snapshot of a release there."""
PAUSE = 1.0

Labels = Mapping[str, str]


class PodStream:
    """One namespace's pods."""

    def __init__(self, cluster: Cluster, namespace: str, wake: Callable[[str], None]) -> None:
        """The thread starts at the first `follow`."""
        self._cluster, self._namespace, self._wake = cluster, namespace, wake
        self._lock = threading.Lock()
        self._wanted: dict[str, tuple[float, tuple[Labels, ...]]] = {}
        self._digests: dict[str, int] = {}
        self._stopping = threading.Event()
        self._stream: Stream | None = None
        self._thread: threading.Thread | None = None

    def follow(self, target: str, selectors: tuple[Labels, ...]) -> None:
        """Wake this target when a pod that one of these matches changes; for a minute from now."""
        with self._lock:
            self._wanted[target] = (time.monotonic() + KEPT_FOR, selectors)
            if self._thread is None and not self._stopping.is_set():
                name = f"pods {self._namespace}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread. Returns once it ended, or after two seconds."""
        self._stopping.set()
        thread, stream = self._thread, self._stream
        if stream is not None:
            stream.end()
        if thread is not None:
            thread.join(2)

    def _run(self) -> None:
        while not self._stopping.is_set() and self._still_wanted():
            try:
                self._follow()
            except (Unavailable, Refused) as error:
                log.debug("the pods of %s can't be watched now: %s", self._namespace, error)
            self._stopping.wait(PAUSE)

    def _follow(self) -> None:
        self._digests.clear()
        # Without a resource version all pods come first, as if they were new.
        self._stream = self._cluster.watch(path(CORE, "pods", self._namespace), {"timeoutSeconds": int(KEPT_FOR)})
        if self._stopping.is_set():
            self._stream.end()
        for kind, pod in self._stream:
            if kind != "BOOKMARK":
                self._note(kind, pod)
            if not self._wanted_now():
                self._stream.end()
                return

    def _note(self, kind: str, pod: Mapping[str, Any]) -> None:
        metadata = pod.get("metadata") or {}
        uid, fresh = str(metadata.get("uid")), 0 if kind == "DELETED" else digest(pod)
        if self._digests.get(uid) == fresh:
            return
        self._digests[uid] = fresh
        if kind == "DELETED":
            del self._digests[uid]
        labels = metadata.get("labels") or {}
        for target, (_, selectors) in self._wanted_now().items():
            if any(selector.items() <= labels.items() for selector in selectors):
                self._wake(target)

    def _wanted_now(self) -> dict[str, tuple[float, tuple[Labels, ...]]]:
        now = time.monotonic()
        with self._lock:
            self._wanted = {target: wish for target, wish in self._wanted.items() if wish[0] > now}
            return dict(self._wanted)

    def _still_wanted(self) -> bool:
        """Whether to go on; if not, the thread is given up under the lock, so that `follow` starts another."""
        wanted = self._wanted_now()
        with self._lock:
            if not wanted:
                self._thread = None
            return bool(wanted)


def digest(pod: Mapping[str, Any]) -> int:
    """Changes when something happened to the pod that a snapshot would show."""
    status, metadata = pod.get("status") or {}, pod.get("metadata") or {}
    told: list[object] = [status.get("phase"), status.get("reason"), metadata.get("deletionTimestamp")]
    for key in ("initContainerStatuses", "containerStatuses"):
        for one in status.get(key) or ():
            state = one.get("state") or {}
            reason = (state.get("waiting") or {}).get("reason")
            told += [one.get("name"), one.get("restartCount"), one.get("ready"), tuple(state), reason]
    told += [(c.get("type"), c.get("status"), c.get("reason")) for c in status.get("conditions") or ()]
    return hash(tuple(told))
