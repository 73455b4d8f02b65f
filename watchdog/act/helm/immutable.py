"""Fields that the API server never lets anyone change: where a rollback would have to, it is refused half-way.

Pure. A difference between two manifests is a suspicion; the live object settles it, because an upgrade that was itself
refused never changed the field. The fields are those of Kubernetes' own validation (pkg/apis/*/validation).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from watchdog.act.helm.changes import Comparison, Key, Object, at

IMMUTABLE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "StatefulSet"): (
        "spec.selector", "spec.serviceName", "spec.volumeClaimTemplates", "spec.podManagementPolicy",
    ),
    ("batch", "Job"): ("spec.selector", "spec.template", "spec.completions", "spec.completionMode"),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes", "spec.storageClassName", "spec.volumeName", "spec.volumeMode", "spec.selector",
        "spec.dataSource",
    ),
    ("", "PersistentVolume"): ("spec.csi", "spec.nfs", "spec.hostPath", "spec.local"),
    ("", "Secret"): ("type",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    ("scheduling.k8s.io", "PriorityClass"): ("value",),
    ("networking.k8s.io", "IngressClass"): ("spec.controller",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("spec.group", "spec.scope"),
}  # fmt: skip

DEFAULTS: Mapping[tuple[str, str], Any] = {
    ("StatefulSet", "spec.podManagementPolicy"): "OrderedReady",
    ("Job", "spec.completionMode"): "NonIndexed",
    ("Secret", "type"): "Opaque",
    ("PersistentVolumeClaim", "spec.volumeMode"): "Filesystem",
    ("StorageClass", "reclaimPolicy"): "Delete",
    ("StorageClass", "volumeBindingMode"): "Immediate",
}
"""What the API server makes of a field that is not given."""

CLUSTER_IP = "spec.clusterIP"
STORAGE = "spec.resources.requests.storage"
CONTENT = ("data", "binaryData")

_QUANTITY = re.compile(r"^([0-9.]+(?:[eE][+-]?[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
_POWERS = "kMGTPE"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A field that a rollback would have to change, though nobody may."""

    key: Key
    field: str
    now: Any
    then: Any


def suspects(comparison: Comparison) -> list[Suspect]:
    """Where the two manifests differ in a field that can't be changed. Objects that only the revision to bring back
    has are asked about too: one that was kept (helm.sh/resource-policy) is still there."""
    found = []
    for key in (*comparison.changed, *comparison.created):
        now, then = comparison.now.get(key, {}), comparison.then[key]
        found += [
            Suspect(key, field, _given(key, field, now), _given(key, field, then))
            for field in IMMUTABLE.get((key.group, key.kind), ())
            if _given(key, field, now) != _given(key, field, then)
        ]
        found += _special(key, now, then)
    return found


def refused(suspect: Suspect, live: Object) -> bool:
    """Whether the API server will refuse the change, given the object that is there."""
    if suspect.field == STORAGE:
        return _shrinks(suspect, live)
    if suspect.field in CONTENT and live.get("immutable") is not True:
        return False
    default = DEFAULTS.get((suspect.key.kind, suspect.field))
    there = at(live, suspect.field)
    return not _stays(default if there is None else there, suspect.now, suspect.then)


def advice(suspect: Suspect) -> str:
    """What a person can do about it."""
    key = suspect.key
    if suspect.field == STORAGE:
        return "a claim can't shrink; deploy a repaired version that keeps the size"
    orphan = " --cascade=orphan" if key.kind in {"StatefulSet", "Deployment", "DaemonSet", "ReplicaSet"} else ""
    if key.kind in {"PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition"}:
        return "deploy a repaired version instead; deleting it would delete its data"
    return (
        f"`kubectl --namespace {key.namespace} delete {key.kind.lower()} {key.name}{orphan}` and roll back by hand, "
        "or deploy a repaired version"
    )


def quantity(value: Any) -> Decimal | None:
    """A Kubernetes quantity (`10Gi`, `500M`, `1`) as a number; None if it is none."""
    match = _QUANTITY.match(str(value))
    if match is None:
        return None
    number, unit = Decimal(match[1]), match[2] or ""
    if unit == "m":
        return number / 1000
    power = _POWERS.index("k" if unit[0] in "kK" else unit[0]) + 1 if unit else 0
    return number * Decimal(1024 if unit.endswith("i") else 1000) ** power


def _given(key: Key, field: str, thing: Object) -> Any:
    value = at(thing, field)
    return DEFAULTS.get((key.kind, field)) if value is None and thing else value


def _special(key: Key, now: Object, then: Object) -> list[Suspect]:
    """Fields that are only sometimes immutable."""
    if (key.group, key.kind) == ("", "Service"):
        was, wanted = at(now, CLUSTER_IP), at(then, CLUSTER_IP)
        moves = "ExternalName" in (at(now, "spec.type"), at(then, "spec.type"))
        # Left out, the API server keeps the address there is (patchAllocatedValues): not refused, not brought back.
        return [Suspect(key, CLUSTER_IP, was, wanted)] if wanted and was != wanted and not moves else []
    if (key.group, key.kind) == ("", "PersistentVolumeClaim"):
        sizes = [quantity(at(thing, STORAGE)) for thing in (now, then)]
        smaller = sizes[0] is None or (sizes[1] is not None and sizes[1] < sizes[0])
        return [Suspect(key, STORAGE, at(now, STORAGE), at(then, STORAGE))] if smaller and sizes[1] else []
    if key.kind in {"ConfigMap", "Secret"} and key.group == "" and now.get("immutable") is True:
        fields = [(field, _content(now, field), _content(then, field)) for field in CONTENT]
        fields.append(("immutable", True, then.get("immutable")))
        return [Suspect(key, field, was, wanted) for field, was, wanted in fields if was != wanted]
    return []


def _content(thing: Object, field: str) -> Any:
    """A Secret's `stringData` is written into `data`."""
    found = dict(thing.get(field) or {})
    if field == "data":
        for name, text in (thing.get("stringData") or {}).items():
            found[name] = base64.b64encode(str(text).encode()).decode()
    return found


def _shrinks(suspect: Suspect, live: Object) -> bool:
    """A claim may be asked to be smaller only as long as it has not grown (status.capacity)."""
    wanted = quantity(suspect.then)
    there = quantity(at(live, "status.capacity.storage") or at(live, STORAGE))
    return wanted is not None and there is not None and wanted < there


def _stays(live: Any, now: Any, then: Any) -> bool:
    """Whether a patch from `now` to `then` leaves what is there as it is. The live object has defaults besides."""
    if isinstance(then, Mapping):
        return _all_stay(live if isinstance(live, Mapping) else {}, now if isinstance(now, Mapping) else {}, then)
    if isinstance(then, list):
        there: list[Any] = live if isinstance(live, list) else []
        before: list[Any] = now if isinstance(now, list) and len(now) == len(then) else [None] * len(then)
        return len(there) == len(then) and all(map(_stays, there, before, then))
    if then is None:
        return now is None or live is None
    if live == then or str(live) == str(then):
        return True
    sizes = quantity(live), quantity(then)
    return sizes[0] is not None and sizes[0] == sizes[1]


def _all_stay(live: Mapping[str, Any], now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    kept = all(_stays(live.get(name), now.get(name), value) for name, value in then.items())
    return kept and not any(name in live for name in now if name not in then)
