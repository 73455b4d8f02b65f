"""What a rollback would delete that holds data, and what else it will not bring back.

Pure. Helm deletes what only the running revision has, unless the object is annotated helm.sh/resource-policy: keep.
A StatefulSet's claims are not deleted with it unless its own retention policy says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchdog.act.helm.changes import Comparison, Key, Object, at
from watchdog.act.helm.immutable import CLUSTER_IP

HOLDS: Mapping[tuple[str, str], str] = {
    ("", "PersistentVolumeClaim"): "and the volume behind it, unless its reclaim policy is Retain",
    ("", "PersistentVolume"): "which a claim may be using",
    ("", "Namespace"): "with everything in it",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "with every object of that kind in the cluster",
}
"""Kinds whose deletion takes data away, and what goes with them."""

BUILT_IN = (".k8s.io", "apps", "batch", "autoscaling", "policy", "extensions")
"""Endings of Kubernetes' own API groups; "" is the core group."""

_KEPT = "helm.sh/resource-policy"


def data_questions(comparison: Comparison) -> list[Key]:
    """The live objects worth reading: whether they are there, and whether they are kept."""
    deleted = [key for key in comparison.deleted if (key.group, key.kind) in HOLDS or _is_stateful_set(key)]
    return deleted + [key for key in comparison.changed if _is_stateful_set(key) or _is_job(key)]


def at_risk(comparison: Comparison, live: Mapping[Key, Object | None]) -> list[str]:
    """What would be deleted with its data, in words. `live`: the objects that could be read; None: it is not there.
    One that could not be read is taken to be there, as its manifest says."""
    found = []
    for key in comparison.deleted:
        thing = live.get(key, comparison.now[key])
        if thing is None or _is_kept(thing):
            continue
        if (key.group, key.kind) in HOLDS:
            found.append(f"{key} would be deleted, {HOLDS[key.group, key.kind]}: the older revision does not have it")
        elif _is_stateful_set(key) and _retention(thing, "whenDeleted") == "Delete" and _claims(thing):
            found.append(f"{key} would be deleted, and by its policy (whenDeleted: Delete) so would its claims")
    for key in comparison.changed:
        counts = _scaled_down(comparison, key, live)
        if counts is not None:
            found.append(
                f"{key} would be scaled from {counts[0]} to {counts[1]}, and by its retention policy (whenScaled: "
                "Delete) the claims of the pods that go are deleted"
            )
    return found


def left_behind(comparison: Comparison, live: Mapping[Key, Object | None]) -> list[str]:
    """What the rollback does not undo or starts anew, in words: warnings only."""
    found = []
    for key in comparison.deleted:
        thing = live.get(key, comparison.now[key])
        if thing is None:
            continue
        if _is_kept(thing):
            found.append(f"{key} stays, though the older revision does not have it (helm.sh/resource-policy: keep)")
        elif _is_stateful_set(key) and _claims(thing) and _retention(thing, "whenDeleted") != "Delete":
            found.append(f"{key} would be deleted; its claims stay, and nothing uses them")
        elif key.group and not key.group.endswith(BUILT_IN):
            found.append(f"{key} of {key.group} would be deleted; what its controller does with its data is not known")
    for key in comparison.changed:
        now, then = comparison.now[key], comparison.then[key]
        if (key.group, key.kind) == ("", "Service") and at(now, CLUSTER_IP) and not at(then, CLUSTER_IP):
            found.append(f"{key} keeps clusterIP {at(now, CLUSTER_IP)}: Kubernetes does not take it back")
        if key.kind == "CustomResourceDefinition":
            gone = sorted(_versions(now) - _versions(then))
            if gone:
                found.append(f"{key} would lose version {', '.join(gone)}; refused if objects are stored in it")
    found += [
        f"{key} is created again, and so runs again"
        for key in (*comparison.created, *comparison.changed)
        if _is_job(key) and live.get(key) is None
    ]
    return found


def _is_job(key: Key) -> bool:
    return (key.group, key.kind) == ("batch", "Job")


def _is_stateful_set(key: Key) -> bool:
    return (key.group, key.kind) == ("apps", "StatefulSet")


def _is_kept(thing: Object) -> bool:
    annotations = at(thing, "metadata.annotations") or {}
    return str(annotations.get(_KEPT, "")).lower() == "keep"


def _claims(thing: Object) -> bool:
    return bool(at(thing, "spec.volumeClaimTemplates"))


def _retention(thing: Object, when: str) -> Any:
    return at(thing, f"spec.persistentVolumeClaimRetentionPolicy.{when}")


def _scaled_down(comparison: Comparison, key: Key, live: Mapping[Key, Object | None]) -> tuple[int, int] | None:
    """From how many to how many, where fewer pods mean deleted claims. A manifest without a number leaves it alone."""
    then = comparison.then[key]
    if not _is_stateful_set(key) or not _claims(then) or _retention(then, "whenScaled") != "Delete":
        return None
    count, wanted = at(live.get(key) or comparison.now[key], "spec.replicas"), at(then, "spec.replicas")
    if not isinstance(count, int) or not isinstance(wanted, int) or count <= wanted:
        return None
    return count, wanted


def _versions(crd: Object) -> set[str]:
    return {str(version.get("name")) for version in at(crd, "spec.versions") or ()}
