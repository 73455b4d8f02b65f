"""Helm releases as a platform: what is newest, how far it is, and what its own pods do.

One stream of release metadata for each namespace (or for all) tells of every change; a release's body and its pods are
read only while it is being watched. Changes nothing. Helm names the revisions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watchdog.errors import Refused, Unavailable
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.releases import Release, Storage, release_of, selector, storage_path
from watchdog.model.deploy import EvidenceItem, Recorded, Revision, Snapshot
from watchdog.model.target import HelmSpec, Target
from watchdog.observe.helm import check as helm_check
from watchdog.observe.helm import evidence as helm_evidence
from watchdog.observe.helm import read as helm_read
from watchdog.observe.helm.guarded import Guarded
from watchdog.observe.helm.manifest import Facts
from watchdog.observe.helm.memory import Memory
from watchdog.observe.helm.pod_stream import PodStream
from watchdog.observe.helm.release_stream import ReleaseStream
from watchdog.observe.helm.seen import changes, failed_hooks, glance, nothing, snapshot

Place = tuple[str | None, str | None]
"""Kubeconfig and context."""

RECENT = timedelta(days=1)
"""A revision this young may have come while no daemon ran: its first glance asks whether it is somebody's rollback."""


class HelmPlatform:
    """The `Platform` of targets with a `helm:` section, and their `Discovery`."""

    resyncs = True

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """`secrets`: environment variables that a kubeconfig's credential program must not see."""
        self._secrets = secrets
        self._lock = threading.Lock()
        self._clusters: dict[Place, Cluster] = {}
        self._streams: dict[tuple[Place, Storage, str | None], ReleaseStream] = {}
        self._pods: dict[tuple[Place, str], PodStream] = {}
        self._memory = Memory()
        self._wake: Callable[[str], None] | None = None
        self._configured: frozenset[str] | None = None

    def snapshot(self, target: Target, now: datetime, *, whole: bool = True) -> Snapshot:
        """A glance costs no request while the stream is up; a whole one reads the release's workloads and pods."""
        spec, cluster = _spec(target), self._cluster(target)
        release = self._newest(target, live=whole)
        if release is None or not release.fingerprint or self._is_switched_off(target, release):
            self._memory.forget(target.name)
            return nothing(now)
        if not whole:
            return glance(release, self._facts_for_glance(target, release, now), now, spec.pending_limit)
        known = self._facts(target, release)
        seen = self._memory.complete(target.name, cluster, helm_read.seen(cluster, release, known, now), now)
        self._follow_pods(target, self._memory.selectors(seen))
        return snapshot(seen, now, spec.pending_limit)

    def record(self, target: Target, snapshot: Snapshot, previous: Revision | None) -> Recorded:
        """Little: Helm itself keeps what brings a revision back. Exact, since that is what it would apply."""
        release = self._newest(target, live=True)
        if release is None or release.fingerprint != snapshot.fingerprint:
            raise Unavailable(f"release {_name(target)} changed while it was being recorded; again later")
        known = self._facts(target, release)
        return Recorded(
            summary=changes(previous.images if previous else {}, known.images),
            images=dict(known.images),
            recorded={"chart": known.chart, "revision": release.version},
        )

    def evidence(self, target: Target, snapshot: Snapshot) -> Sequence[EvidenceItem]:
        """Events, states, logs and previous logs, and the manifests' difference; bounded, no secret in it."""
        spec, cluster = _spec(target), self._cluster(target)
        kept = helm_read.revisions(cluster, spec)
        if not kept:
            raise Refused(f"there is no release {_name(target)} any more")
        known = self._facts(target, kept[0])
        return helm_evidence.evidence(cluster, spec, kept, helm_read.seen(cluster, kept[0], known, snapshot.at))

    def history(self, target: Target, limit: int) -> Sequence[str]:
        """The revisions that Helm still keeps, newest first."""
        kept = helm_read.revisions(self._cluster(target), _spec(target))
        return [str(release.version) for release in kept[:limit]]

    def check(self, target: Target) -> Sequence[str]:
        """The API server, each right, the program, the release: what is missing of them."""
        return helm_check.check(self._cluster(target), target, lambda: self.discover(target))

    def discover(self, pattern: Target) -> Sequence[Target]:
        """The releases that the pattern stands for now, by name."""
        spec = _spec(pattern)
        guarded = Guarded([pattern])
        where = storage_path(spec.storage, None if spec.namespace == "*" else spec.namespace)
        asked = selector(spec.storage)
        asked["labelSelector"] += ",status!=superseded"
        newest: dict[tuple[str, str], Release] = {}
        for page in self._cluster(pattern).pages(where, asked, metadata=True):
            for release in map(release_of, page.get("items") or ()):
                if release is not None:
                    key = (release.namespace, release.name)
                    newest[key] = max(newest.get(key, release), release, key=lambda r: r.version)
        found = [r for r in newest.values() if r.fingerprint and guarded.names(r)]
        return [pattern.found(r.namespace, r.name) for r in sorted(found, key=lambda r: (r.namespace, r.name))]

    def start(self, targets: Sequence[Target], wake: Callable[[str], None]) -> None:
        """One stream for each namespace that the targets are in, or for all at once."""
        self._wake = wake
        self._configured = frozenset(target.name for target in targets)
        guarded: dict[tuple[Place, Storage], list[Target]] = {}
        for target in targets:
            if isinstance(target.spec, HelmSpec):
                guarded.setdefault((_place(target), target.spec.storage), []).append(target)
        with self._lock:
            for (place, storage), group in guarded.items():
                heard = _Heard(Guarded(group), wake)
                for namespace in _namespaces(group):
                    cluster = self._clusters.setdefault(place, Cluster(*place, self._secrets))
                    self._streams[place, storage, namespace] = ReleaseStream(cluster, storage, namespace, heard)
            streams = list(self._streams.values())
        for stream in streams:
            stream.start()

    def stop(self) -> None:
        """End all streams, and close all connections."""
        with self._lock:
            streams, self._streams = list(self._streams.values()), {}
            pods, self._pods = list(self._pods.values()), {}
            clusters, self._clusters = list(self._clusters.values()), {}
            self._wake = None
        for stream in streams:
            stream.stop()
        for watched in pods:
            watched.stop()
        for cluster in clusters:
            cluster.close()

    def _newest(self, target: Target, *, live: bool) -> Release | None:
        """The release's newest revision: from the stream, or asked."""
        spec = _spec(target)
        if not live:
            stream = self._stream(target)
            if stream is not None and stream.synced.is_set():
                found = stream.index.newest(spec.namespace, spec.release)
                if found is not None:
                    return found  # that there is none is worth a question of its own
        kept = helm_read.revisions(self._cluster(target), spec)
        return kept[0] if kept else None

    def _is_switched_off(self, target: Target, release: Release) -> bool:
        """Whether a pattern found this release, and its switch says by now to leave it alone: then it is let go of,
        as if it were gone."""
        return not release.guarded and self._configured is not None and target.name not in self._configured

    def _facts(self, target: Target, release: Release) -> Facts:
        """The body's facts, read once for each time that Helm wrote it."""
        known = self._memory.facts(target.name, release)
        if known is None:
            cluster = self._cluster(target)
            known = helm_read.facts_of(cluster, _spec(target), release)
            words = helm_read.hook_words(cluster, known) if failed_hooks(known) else {}
            self._memory.learn(target.name, release, known, words)
        return known

    def _facts_for_glance(self, target: Target, release: Release, now: datetime) -> Facts:
        """Whether somebody rolled back is only in the body; it is read for a revision that came lately."""
        if release.version > 1 and release.plan is None and now - release.created <= RECENT:
            return self._facts(target, release)
        return Facts()

    def _follow_pods(self, target: Target, selectors: tuple[dict[str, str], ...]) -> None:
        key = (_place(target), _spec(target).namespace)
        with self._lock:
            if self._wake is None or not selectors:
                return
            stream = self._pods.get(key)
            if stream is None:
                cluster = self._clusters.setdefault(key[0], Cluster(*key[0], self._secrets))
                stream = self._pods[key] = PodStream(cluster, key[1], self._wake)
        stream.follow(target.name, selectors)

    def _stream(self, target: Target) -> ReleaseStream | None:
        spec, place = _spec(target), _place(target)
        with self._lock:
            mine = self._streams.get((place, spec.storage, spec.namespace))
            return mine or self._streams.get((place, spec.storage, None))

    def _cluster(self, target: Target) -> Cluster:
        place = _place(target)
        with self._lock:
            return self._clusters.setdefault(place, Cluster(*place, self._secrets))


class _Heard:
    """Wakes the targets that a changed release belongs to; once more when it is switched off."""

    def __init__(self, guarded: Guarded, wake: Callable[[str], None]) -> None:
        self._guarded, self._wake = guarded, wake
        self._lock = threading.Lock()
        self._on = set[tuple[str, str]]()

    def __call__(self, release: Release) -> None:
        for name in self._guarded.names(replace(release, guarded=self._note(release))):
            self._wake(name)

    def _note(self, release: Release) -> bool:
        """Whether the release is guarded now, or was until now."""
        key = (release.namespace, release.name)
        with self._lock:
            was = key in self._on
            (self._on.add if release.guarded else self._on.discard)(key)
        return was or release.guarded


def _namespaces(targets: Sequence[Target]) -> list[str | None]:
    found = {_spec(target).namespace for target in targets}
    return [None] if "*" in found else [*sorted(found)]


def _place(target: Target) -> Place:
    spec = _spec(target)
    return spec.kubeconfig, spec.context


def _spec(target: Target) -> HelmSpec:
    if not isinstance(target.spec, HelmSpec):
        raise Refused(f"target {target.name} is no Helm release")
    return target.spec


def _name(target: Target) -> str:
    spec = _spec(target)
    return f"{spec.namespace}/{spec.release}"
