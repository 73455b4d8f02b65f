"""What is missing before a Helm target can be guarded, and what is good to know about it: for `watchdog check`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from watchdog.errors import Refused, Unavailable
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.program import version_of
from watchdog.kubernetes.rights import Right, missing
from watchdog.model.target import HelmSpec, Target
from watchdog.observe.helm import read as helm_read

NOTE = "note: "
SHOWN = 10

READING = (
    Right("", "pods", ("list", "watch")),
    Right("", "pods/log", ("get",)),
    Right("", "events", ("list",)),
    Right("apps", "deployments", ("get",)),
    Right("apps", "statefulsets", ("get",)),
    Right("apps", "daemonsets", ("get",)),
    Right("apps", "replicasets", ("list",)),
    Right("batch", "jobs", ("get", "list")),
    Right("batch", "cronjobs", ("get",)),
)
"""All that reading needs, beside the releases themselves."""

_OWNERS = (
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux's HelmRelease"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux's Kustomization"),
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD's"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD's Application"),
)


def rights(spec: HelmSpec) -> tuple[Right, ...]:
    """What reading such a target needs."""
    return (Right("", f"{spec.storage}s", ("get", "list", "watch")), *READING)


def check(cluster: Cluster, target: Target, discover: Callable[[], Sequence[Target]]) -> list[str]:
    """One helpful line each."""
    spec = target.spec
    if not isinstance(spec, HelmSpec):
        raise Refused(f"target {target.name} is no Helm release")
    lines = _program(spec)
    try:
        cluster.get("/version")
        lines += missing(cluster, None if spec.namespace == "*" else spec.namespace, rights(spec))
    except (Refused, Unavailable) as error:
        return [*lines, str(error)]
    try:
        lines += _pattern(spec, discover()) if target.is_pattern else _release(cluster, spec)
    except (Refused, Unavailable) as error:
        if not any(line.startswith("no right") for line in lines):
            lines.append(str(error))
    return lines


def _program(spec: HelmSpec) -> list[str]:
    try:
        return [f"{NOTE}{spec.helm} is Helm {version_of(spec.helm)}"]
    except (Refused, Unavailable) as error:
        return [str(error)]


def _pattern(spec: HelmSpec, found: Sequence[Target]) -> list[str]:
    where = "every namespace" if spec.namespace == "*" else f"namespace {spec.namespace}"
    if not found:
        return [f"{NOTE}there is no release in {where} that this stands for yet; one that comes later is guarded"]
    names = [t.name for t in found[:SHOWN]] + ([f"{len(found) - SHOWN} more"] if len(found) > SHOWN else [])
    return [f"{NOTE}guards {len(found)} releases in {where} now: {', '.join(names)}"]


def _release(cluster: Cluster, spec: HelmSpec) -> list[str]:
    kept = helm_read.revisions(cluster, spec)
    if not kept:
        where = f"namespace {spec.namespace} (stored as a {spec.storage})"
        return [f"there is no release {spec.release} in {where}; `helm list -n {spec.namespace}` shows those there are"]
    newest = kept[0]
    lines = [f"{NOTE}revision {newest.version} is {newest.status}; {len(kept)} revisions are kept"]
    if len(kept) == 1:
        lines.append(f"{NOTE}there is no earlier revision yet, so nothing to roll back to")
    for ref in helm_read.facts_of(cluster, spec, newest).workloads:
        owner = gitops_owner(helm_read.thing(cluster, ref) or {})
        if owner:
            return [*lines, f"{NOTE}{ref} is {owner}: it would undo a rollback; see `rollback.gitops`"]
    return lines


def gitops_owner(thing: Mapping[str, Any]) -> str:
    """Who keeps putting this object back to what git says, by the marks it leaves; empty: nobody."""
    metadata = thing.get("metadata") or {}
    for place, mark, owner in _OWNERS:
        value = (metadata.get(place) or {}).get(mark)
        if value:
            return f"{owner} ({mark}: {value})"
    return ""
