"""Reads one release from the API server: its newest revision, the body's facts, its workloads with the pods that count.

Each workload is asked for by the name the manifest gives it, so that the work does not grow with the namespace.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from watchdog.errors import Refused, Unavailable
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.errors import NotThere
from watchdog.kubernetes.paths import APPS, BATCH, CORE, path
from watchdog.kubernetes.releases import Release, body_of, instant, of_release, release_of, storage_path
from watchdog.model.masking import mask
from watchdog.model.target import HelmSpec
from watchdog.observe.helm import pods as read
from watchdog.observe.helm.manifest import Facts, Hook, Ref, facts
from watchdog.observe.helm.seen import Seen, failed_hooks
from watchdog.observe.helm.workloads import (
    Thing,
    Workload,
    counts,
    current,
    last_written,
    matching,
    owned,
    template_since,
    touched,
)

RESOURCES = {
    "Deployment": (APPS, "deployments"),
    "StatefulSet": (APPS, "statefulsets"),
    "DaemonSet": (APPS, "daemonsets"),
    "Job": (BATCH, "jobs"),
    "CronJob": (BATCH, "cronjobs"),
}
LINES = 5
"""Of a log, as a crash's last words."""
ASKED_LOGS = 3
"""Logs asked for in one snapshot at most."""


def revisions(cluster: Cluster, spec: HelmSpec) -> list[Release]:
    """All revisions the release still has, newest first. Only metadata is read."""
    where = storage_path(spec.storage, spec.namespace)
    things = cluster.items(where, of_release(spec.storage, spec.release), metadata=True)
    found = [r for r in map(release_of, things) if r is not None and r.name == spec.release]
    return sorted(found, key=lambda r: r.version, reverse=True)


def body(cluster: Cluster, spec: HelmSpec, release: Release) -> dict[str, Any]:
    """A revision's body. Holds secrets."""
    return body_of(cluster.get(storage_path(spec.storage, spec.namespace, spec.release, release.version)))


def facts_of(cluster: Cluster, spec: HelmSpec, release: Release) -> Facts:
    """What is worth keeping of a revision's body."""
    return facts(body(cluster, spec, release))


def thing(cluster: Cluster, ref: Ref) -> dict[str, Any] | None:
    """A workload; None when it is not there."""
    api, resource = RESOURCES[ref.kind]
    try:
        found: dict[str, Any] = cluster.get(path(api, resource, ref.namespace, ref.name))
    except NotThere:
        return None
    return found


def workload(cluster: Cluster, ref: Ref, release: Release) -> Workload:
    """A workload with the pods that count."""
    found = thing(cluster, ref)
    if found is None:
        return Workload(ref, None)
    if ref.kind == "Job":
        begun: list[Thing] = [found] if _created(found) >= release.created else []
        return Workload(ref, found, bool(begun), _pods_of_jobs(cluster, ref.namespace, begun), begun)
    replicasets = _replicasets(cluster, ref.namespace, found) if ref.kind == "Deployment" else []
    changed = touched(found, replicasets, release.created)
    if ref.kind == "CronJob":
        ours = changed or release.status in {"deployed", "superseded"}
        begun = _jobs_of(cluster, ref.namespace, found, template_since(found, release.created)) if ours else []
        return Workload(ref, found, changed, _pods_of_jobs(cluster, ref.namespace, begun), begun)
    label = current(ref.kind, found, replicasets) if changed or release.status in {"deployed", "superseded"} else ""
    if not label:
        return Workload(ref, found, changed)
    return Workload(ref, found, changed, _pods(cluster, ref.namespace, f"{matching(found)},{label}"))


def seen(cluster: Cluster, release: Release, known: Facts, now: datetime) -> Seen:
    """Everything for one snapshot, but for what earlier snapshots remember and the logs."""
    found = [workload(cluster, ref, release) for ref in known.workloads]
    at = _active_at(cluster, release, known, found, now) if release.pending else None
    return Seen(release, known, found, active_at=at)


def _active_at(
    cluster: Cluster, release: Release, known: Facts, found: Sequence[Workload], now: datetime
) -> datetime | None:
    """When somebody was last seen to work on a pending release: a hook's Job that runs now, its workloads written to
    or progressing, new pods."""
    jobs = [thing(cluster, hook.ref) for hook in known.hooks if hook.phase == "Running" and hook.ref.kind == "Job"]
    if any(job is not None and (job.get("status") or {}).get("active") for job in jobs):
        return now
    times = [at for w in found if w.touched and w.thing is not None and (at := last_written(w.thing))]
    times += [read.created(pod) for w in found for pod in w.pods]
    return max((at for at in times if at >= release.created), default=None)


def last_words(cluster: Cluster, crashed: Iterable[read.Container]) -> dict[str, str]:
    """The end of the log of each container's latest run that ended; of the first few."""
    said = {}
    for c in list(crashed)[:ASKED_LOGS]:
        words = log_of(cluster, c, previous=not (c.status.get("state") or {}).get("terminated"), lines=LINES)
        said[c.key] = " / ".join(line.strip() for line in words.splitlines() if line.strip())
    return said


def log_of(cluster: Cluster, c: read.Container, *, previous: bool, lines: int) -> str:
    """The end of a container's log, secrets masked; empty when it can't be read."""
    metadata = c.pod.get("metadata") or {}
    where = path(CORE, "pods", str(metadata.get("namespace")), str(metadata.get("name")), "log")
    asked: dict[str, str | int] = {
        "container": c.name,
        "previous": str(previous).lower(),
        "tailLines": lines,
        "limitBytes": 65536,
    }
    with contextlib.suppress(Refused, Unavailable):
        return mask(cluster.text(where, asked), ())
    return ""


def hook_words(cluster: Cluster, known: Facts) -> dict[str, str]:
    """How the failed hooks' pods ended, each with the end of its log."""
    return {str(hook.ref): _hook_words(cluster, hook) for hook in failed_hooks(known)}


def _hook_words(cluster: Cluster, hook: Hook) -> str:
    with contextlib.suppress(Refused, Unavailable):
        for c in hook_containers(cluster, hook):
            if c.waiting.get("reason") in read.CANT_START:
                return read.cant_start(c)
            if c.ended and c.ended.get("exitCode") != 0:
                return read.how_it_ended(c, c.ended, last_words(cluster, [c])[c.key])
    return ""


def hook_containers(cluster: Cluster, hook: Hook) -> list[read.Container]:
    """The containers of a hook's pods, newest first."""
    if hook.ref.kind == "Job":
        found: Sequence[Thing] = _pods(cluster, hook.ref.namespace, f"batch.kubernetes.io/job-name={hook.ref.name}")
    elif hook.ref.kind == "Pod":
        found = cluster.items(
            path(CORE, "pods", hook.ref.namespace), {"fieldSelector": f"metadata.name={hook.ref.name}"}
        )
    else:
        return []
    newest = sorted(found, key=read.created, reverse=True)
    return [c for pod in newest for c in read.containers(hook.ref.name, pod)]


def _pods(cluster: Cluster, namespace: str, selector: str) -> list[Thing]:
    found = cluster.items(path(CORE, "pods", namespace), {"labelSelector": selector})
    return [pod for pod in found if counts(pod)]


def _pods_of_jobs(cluster: Cluster, namespace: str, jobs: Sequence[Thing]) -> list[Thing]:
    names = [str((job.get("metadata") or {}).get("name")) for job in jobs]
    if not names:
        return []
    return _pods(cluster, namespace, f"batch.kubernetes.io/job-name in ({','.join(names[-20:])})")


def _jobs_of(cluster: Cluster, namespace: str, cronjob: Thing, since: datetime) -> list[Thing]:
    uid = (cronjob.get("metadata") or {}).get("uid")
    found = cluster.items(path(BATCH, "jobs", namespace), metadata=True)
    return [job for job in found if owned(job, uid) and _created(job) >= since]


def _replicasets(cluster: Cluster, namespace: str, deployment: Thing) -> list[dict[str, Any]]:
    return cluster.items(path(APPS, "replicasets", namespace), {"labelSelector": matching(deployment)}, metadata=True)


def _created(found: Thing) -> datetime:
    return instant((found.get("metadata") or {}).get("creationTimestamp")) or datetime.fromisoformat("1970-01-01T00Z")
