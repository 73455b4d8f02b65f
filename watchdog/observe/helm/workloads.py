"""Which of a workload's pods are of its current template, and how far its rollout is.

Pure, over the API's own objects. `rollout` judges as `kubectl rollout status` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from watchdog.kubernetes.releases import instant
from watchdog.observe.helm.manifest import Ref

REVISION = "deployment.kubernetes.io/revision"
GENERATION = "deprecated.daemonset.template.generation"
"""Deprecated since apps/v1, and still what the DaemonSet controller itself compares its pods with."""
CONTROLLED = frozenset({"Deployment", "StatefulSet", "DaemonSet"})

Thing = Mapping[str, Any]


@dataclass(frozen=True)
class Workload:
    """One workload of a release, as it is now."""

    ref: Ref
    thing: Thing | None
    """None: it is not there."""
    touched: bool = False
    """Whether this revision's operation has changed its template."""
    pods: Sequence[Thing] = ()
    """Those that count: of the current template, once that is this revision's."""
    jobs: Sequence[Thing] = field(default=())
    """The Job itself, when the revision began it; a CronJob's that were begun since its template is this revision's."""


@dataclass(frozen=True, slots=True)
class State:
    """How far one workload is."""

    done: bool
    reason: str = ""
    failed: bool = False


def matching(thing: Thing) -> str:
    """The label selector of a workload's pods, of whatever template; empty when it has none that can be asked for."""
    selector = (thing.get("spec") or {}).get("selector") or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        key, operator, values = one.get("key"), one.get("operator"), ",".join(one.get("values") or ())
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})"}
        parts.append(words.get(str(operator), f"!{key}" if operator == "DoesNotExist" else str(key)))
    return ",".join(parts)


def current(kind: str, thing: Thing, replicasets: Sequence[Thing]) -> str:
    """What a pod of the current template is labelled with (`pod-template-hash=…`); empty while that is not known."""
    metadata, status = thing.get("metadata") or {}, thing.get("status") or {}
    if not _observed(thing):
        return ""
    if kind == "Deployment":
        newest = newest_replicaset(thing, replicasets)
        found = (_labels(newest).get("pod-template-hash") or "") if newest else ""
        return f"pod-template-hash={found}" if found else ""
    if kind == "StatefulSet":
        return f"controller-revision-hash={status['updateRevision']}" if status.get("updateRevision") else ""
    generation = (metadata.get("annotations") or {}).get(GENERATION)
    return f"pod-template-generation={generation}" if generation else ""


def newest_replicaset(deployment: Thing, replicasets: Sequence[Thing]) -> Thing | None:
    """The Deployment's current ReplicaSet."""
    revision = _annotations(deployment).get(REVISION)
    uid = (deployment.get("metadata") or {}).get("uid")
    mine = [one for one in replicasets if owned(one, uid) and _annotations(one).get(REVISION) == revision]
    return mine[0] if mine and revision else None


def owned(thing: Thing, uid: Any) -> bool:
    """Whether the object's controller has that uid."""
    owners = (thing.get("metadata") or {}).get("ownerReferences") or ()
    return any(owner.get("uid") == uid and owner.get("controller") for owner in owners)


def touched(thing: Thing, replicasets: Sequence[Thing], since: datetime) -> bool:
    """Whether its template was written since then: it is new, has a newer ReplicaSet, or someone who owns fields of
    the template wrote to it. Times of the API server have whole seconds: so has `since`."""
    newest = newest_replicaset(thing, replicasets)
    if _created(thing) >= since or (newest is not None and _observed(thing) and _created(newest) >= since):
        return True
    return any(at >= since for at in _written(thing))


def template_since(cronjob: Thing, revision: datetime) -> datetime:
    """Since when a CronJob makes Jobs of its current template, at the earliest since the revision. A write that left
    the template as it was counts too: only the time is known."""
    return max(revision, _created(cronjob), *_written(cronjob))


def last_written(thing: Thing) -> datetime | None:
    """When someone who owns fields of the template last wrote to it, or it last made progress."""
    conditions = (thing.get("status") or {}).get("conditions") or ()
    progress = [instant(one.get("lastUpdateTime")) for one in conditions if one.get("type") == "Progressing"]
    return max([*_written(thing), *(at for at in progress if at), _created(thing)], default=None)


def _written(thing: Thing) -> list[datetime]:
    found = []
    for entry in (thing.get("metadata") or {}).get("managedFields") or ():
        fields = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        at = instant(entry.get("time"))
        if ("f:template" in fields or "f:jobTemplate" in fields) and not entry.get("subresource") and at is not None:
            found.append(at)
    return found


def counts(pod: Thing) -> bool:
    """Whether a pod says something about its version: it was not told to go, by whomever, nor lost with its node."""
    status = pod.get("status") or {}
    if (pod.get("metadata") or {}).get("deletionTimestamp") or status.get("reason") in _TAKEN_AWAY:
        return False
    # What ends under `restartPolicy: Always` is started again: such a pod is over only where the cluster ended it. The
    # kubelet does not even say "Evicted" when the program heeded its signal and ended with 0.
    if (pod.get("spec") or {}).get("restartPolicy", "Always") == "Always" and status.get("phase") in _OVER:
        return False
    conditions = status.get("conditions") or ()
    return not any(one.get("type") == "DisruptionTarget" and one.get("status") == "True" for one in conditions)


_OVER = frozenset({"Succeeded", "Failed"})
_TAKEN_AWAY = frozenset(
    {"Evicted", "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "Preempting", "Preempted", "NodeAffinity"}
    | {"UnexpectedAdmissionError", "OutOfcpu", "OutOfmemory", "OutOfpods"}
)
"""A pod's `status.reason` where the cluster ended or refused it, and not its program."""


def rollout(workload: Workload) -> State:
    """How far it is."""
    kind, thing = workload.ref.kind, workload.thing
    if thing is None:
        return State(False, f"{workload.ref} is not there")
    if kind == "Job":
        return _job(workload, thing)
    if kind not in CONTROLLED:
        return State(True)
    if not _observed(thing):
        return State(False, f"{workload.ref}: its controller has not seen the change yet")
    judge = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}[kind]
    reason = judge(thing)
    if reason and kind == "Deployment" and _late(thing):
        return State(False, f"{workload.ref}: it exceeded its progress deadline; {reason}", failed=workload.touched)
    return State(not reason, f"{workload.ref}: {reason}" if reason else "")


def _late(thing: Thing) -> bool:
    """Whether its current template missed the progress deadline.

    Where a template comes back whose ReplicaSet is still there, the controller leaves the condition of the version
    before until the rollout gets on; a deadline lasts a second at least, so one missed in the second of the write, or
    before, is of that version.
    """
    condition = _condition(thing, "Progressing")
    if condition.get("reason") != "ProgressDeadlineExceeded":
        return False
    missed, written = instant(condition.get("lastUpdateTime")), _written(thing)
    return missed is None or not written or missed > max(written)


def _deployment(thing: Thing) -> str:
    spec, status = thing.get("spec") or {}, thing.get("status") or {}
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    if spec.get("paused") and updated < wanted:
        return "it is paused"
    if updated < wanted:
        return f"{updated} of {wanted} replicas are of the new version"
    if status.get("replicas", 0) > updated:
        return f"{status['replicas'] - updated} replicas of the old version are still there"
    if status.get("availableReplicas", 0) < updated:
        return f"{status.get('availableReplicas', 0)} of {updated} new replicas are available"
    return ""


def _stateful_set(thing: Thing) -> str:
    spec, status = thing.get("spec") or {}, thing.get("status") or {}
    strategy, wanted = spec.get("updateStrategy") or {}, spec.get("replicas", 1)
    if strategy.get("type") == "OnDelete":
        return ""
    if status.get("readyReplicas", 0) < wanted:
        return f"{status.get('readyReplicas', 0)} of {wanted} replicas are ready"
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if partition:
        missing = wanted - partition - status.get("updatedReplicas", 0)
        return f"{missing} replicas above its partition are of the old version" if missing > 0 else ""
    if status.get("updateRevision") != status.get("currentRevision"):
        return f"{status.get('updatedReplicas', 0)} of {wanted} replicas are of the new version"
    return ""


def _daemon_set(thing: Thing) -> str:
    spec, status = thing.get("spec") or {}, thing.get("status") or {}
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return ""
    wanted = status.get("desiredNumberScheduled", 0)
    if status.get("updatedNumberScheduled", 0) < wanted:
        return f"{status.get('updatedNumberScheduled', 0)} of {wanted} pods are of the new version"
    if status.get("numberAvailable", 0) < wanted:
        return f"{status.get('numberAvailable', 0)} of {wanted} pods are available"
    return ""


def _job(workload: Workload, thing: Thing) -> State:
    """A Job that runs for hours is no reason to wait; one that failed is one to go back, if this revision began it."""
    failed = _condition(thing, "Failed")
    if not failed or not workload.jobs:
        return State(True)
    return State(False, f"{workload.ref} failed: {failed.get('message') or failed.get('reason')}", failed=True)


def _condition(thing: Thing, kind: str) -> Thing:
    conditions = (thing.get("status") or {}).get("conditions") or ()
    wanted = {"Failed": "True"}.get(kind)
    return next((c for c in conditions if c.get("type") == kind and wanted in (None, c.get("status"))), {})


def _observed(thing: Thing) -> bool:
    generation = (thing.get("metadata") or {}).get("generation", 0)
    return bool((thing.get("status") or {}).get("observedGeneration", 0) >= generation)


def _created(thing: Thing) -> datetime:
    at = instant((thing.get("metadata") or {}).get("creationTimestamp"))
    return at or datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _labels(thing: Thing) -> Mapping[str, str]:
    return (thing.get("metadata") or {}).get("labels") or {}


def _annotations(thing: Thing) -> Mapping[str, str]:
    return (thing.get("metadata") or {}).get("annotations") or {}
