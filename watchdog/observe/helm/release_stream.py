"""The newest revision of every release in a namespace or a cluster, kept up to date by one list-and-watch.

Only metadata comes over the wire, and of superseded revisions nothing: a few small strings are kept per release.
`Index` is a pure fold, so it can be fed literal objects.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from watchdog.errors import Refused, Unavailable, WatchdogError
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.errors import Expired, Throttled
from watchdog.kubernetes.releases import Release, Storage, release_of, selector, storage_path
from watchdog.kubernetes.stream import Stream

log = logging.getLogger(__name__)

RESYNC = 600.0
"""Seconds between two full lists, which find what the stream may have missed."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0
"""Seconds between attempts to reach the API server."""
LONGEST_WAIT = 60.0
"""Seconds, when it is the API server that asks us to wait."""

Key = tuple[str, str]
"""Namespace and name of a release."""


class Index:
    """The releases that were seen. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Key, tuple[Release, ...]] = {}

    def newest(self, namespace: str, name: str) -> Release | None:
        """The release's newest revision."""
        with self._lock:
            kept = self._kept.get((namespace, name))
        return kept[0] if kept else None

    def all(self) -> list[Release]:
        """The newest revision of every release."""
        with self._lock:
            return [kept[0] for kept in self._kept.values()]

    def note(self, kind: str, thing: Mapping[str, Any]) -> Release | None:
        """Fold one change in. Returns the release's newest revision where that is another, or changed; for a release
        that is gone, its last one."""
        found = release_of(thing)
        if found is None:
            return None
        key = (found.namespace, found.name)
        with self._lock:
            before = self._kept.get(key, ())
            after = tuple(r for r in before if r.version != found.version)
            if kind != "DELETED":
                after = tuple(sorted((*after, found), key=lambda r: r.version, reverse=True))
            self._keep(key, after)
        if before[:1] == after[:1]:
            return None
        return after[0] if after else found

    def replace(self, found: Iterable[Release]) -> list[Release]:
        """Take a full list instead of all that was known. Returns what changed, as `note` does."""
        fresh: dict[Key, list[Release]] = {}
        for release in found:
            fresh.setdefault((release.namespace, release.name), []).append(release)
        with self._lock:
            before, self._kept = self._kept, {}
            for key, releases in fresh.items():
                self._keep(key, tuple(sorted(releases, key=lambda r: r.version, reverse=True)))
            changed = [kept[0] for key, kept in self._kept.items() if before.get(key, ())[:1] != kept[:1]]
            return changed + [kept[0] for key, kept in before.items() if key not in self._kept]

    def _keep(self, key: Key, releases: tuple[Release, ...]) -> None:
        if releases:
            self._kept[key] = releases
        else:
            self._kept.pop(key, None)


class ReleaseStream:
    """One thread that keeps an index, from `start` to `stop`, however often the API server goes away."""

    def __init__(
        self, cluster: Cluster, storage: Storage, namespace: str | None, changed: Callable[[Release], None]
    ) -> None:
        """`namespace`: None for all. `changed` is called from the stream's thread."""
        self.index = Index()
        self.synced = threading.Event()
        """Set while the index is what the API server has."""
        self._cluster, self._changed = cluster, changed
        self._path = storage_path(storage, namespace)
        asked = selector(storage)
        self._query = {**asked, "labelSelector": f"{asked['labelSelector']},status!=superseded"}
        self._stopping = threading.Event()
        self._stream: Stream | None = None
        self._version = ""
        self._resync_at = 0.0
        self._told: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"releases {namespace or '*'}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Returns once it ended, or after two seconds."""
        self._stopping.set()
        if self._stream is not None:
            self._stream.end()
        self._thread.join(2)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self._follow()
                pause = FIRST_PAUSE  # the API server ended the stream, as it does every few minutes
            except Expired:
                self._version = ""  # what was missed is in a new list
            except (Unavailable, Refused) as error:
                pause = FIRST_PAUSE if self.synced.is_set() else pause
                pause = max(pause, min(error.wait, LONGEST_WAIT)) if isinstance(error, Throttled) else pause
                self._complain(error)
            finally:
                self.synced.clear()
            self._stopping.wait(pause * random.uniform(1, 2))  # noqa: S311 -- jitter is no secret
            pause = min(2 * pause, LONGEST_PAUSE)

    def _follow(self) -> None:
        """List if that is due, then watch until the stream ends."""
        if not self._version or time.monotonic() >= self._resync_at:
            self._list()
        self._stream = self._cluster.watch(self._path, {**self._query, "resourceVersion": self._version}, metadata=True)
        if self._stopping.is_set():
            self._stream.end()
        self.synced.set()
        self._recovered()
        for kind, thing in self._stream:
            self._version = (thing.get("metadata") or {}).get("resourceVersion") or self._version
            if kind != "BOOKMARK":
                changed = self.index.note(kind, thing)
                if changed is not None:
                    self._changed(changed)
            if time.monotonic() >= self._resync_at:
                self._stream.end()
                return

    def _list(self) -> None:
        found: list[Release] = []
        version = ""
        for page in self._cluster.pages(self._path, self._query, metadata=True):
            version = (page.get("metadata") or {}).get("resourceVersion") or version
            found += [r for r in map(release_of, page.get("items") or ()) if r is not None]
        self._version = version
        self._resync_at = time.monotonic() + RESYNC * random.uniform(0.9, 1.1)  # noqa: S311
        for release in self.index.replace(found):
            self._changed(release)

    def _complain(self, error: WatchdogError) -> None:
        """Once for each trouble, not for each attempt."""
        words = str(error)
        if words != self._told:
            log.warning("lost the stream of Helm releases, trying again: %s", words)
        self._told = words

    def _recovered(self) -> None:
        if self._told is not None:
            log.info("the stream of Helm releases is back")
        self._told = None
