"""What the Helm actor asks of a cluster, and the two things it patches: a plan's mark, and a GitOps owner.

Objects are found by kind through the API's own discovery, which everybody may read. What may not be read is left out
of an answer rather than guessed; who reads the answer decides what that means.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from watchdog.act.helm.changes import Comparison, Key, Object, at
from watchdog.act.helm.owners import ARGO, Owner, owning_application, suspension
from watchdog.errors import Refused
from watchdog.kubernetes.client import Cluster, Query
from watchdog.kubernetes.errors import NotThere
from watchdog.kubernetes.paths import api_of
from watchdog.kubernetes.paths import path as path_of
from watchdog.kubernetes.rights import Right, missing

ARGO_NAMESPACE = "argocd"
"""Where Argo CD usually is, for a watchdog that may not list Applications everywhere."""


class Kinds:
    """Which kinds the API server knows, and by what path; asked once for each group and version."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[str, dict[str, Any] | None] = {}

    def path(self, api_version: str, kind: str, namespace: str, name: str) -> str | None:
        """The path of an object; None: the cluster does not know that kind."""
        resource = self._of(api_version).get(kind)
        if resource is None:
            return None
        return path_of(api_of(api_version), resource["name"], namespace if resource.get("namespaced") else None, name)

    def resource(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        """A kind's resource (`deployments`) and whether it is in a namespace."""
        found = self._of(api_version).get(kind)
        return (str(found["name"]), bool(found.get("namespaced"))) if found else None

    def preferred(self, group: str) -> str | None:
        """The version of a group to use; None: the cluster does not know the group."""
        found = _or_none(self._cluster, f"/apis/{group}")
        version = at(found, "preferredVersion.groupVersion")
        return str(version) if version else None

    def collection(self, api_version: str, kind: str, namespace: str | None) -> str | None:
        """The path of all objects of a kind, in a namespace or everywhere."""
        resource = self._of(api_version).get(kind)
        if resource is None:
            return None
        return path_of(api_of(api_version), resource["name"], namespace)

    def _of(self, api_version: str) -> dict[str, Any]:
        if api_version not in self._known:
            found = _or_none(self._cluster, _root(api_version)) or {}
            # Subresources (`deployments/status`) have the same kind.
            self._known[api_version] = {
                str(resource["kind"]): resource
                for resource in found.get("resources") or ()
                if "/" not in str(resource.get("name"))
            }
        return self._known[api_version] or {}


def _root(api_version: str) -> str:
    return f"/{api_of(api_version)}"


def _or_none(cluster: Cluster, path: str, query: Query | None = None) -> Any:
    """The answer; None when it is not there."""
    try:
        return cluster.get(path, query)
    except NotThere:
        return None


def not_served(kinds: Kinds, things: Iterable[Object]) -> list[str]:
    """The kinds among these objects that the cluster does not know: `Foo of example.com/v1`."""
    wanted = dict.fromkeys((str(thing.get("apiVersion")), str(thing.get("kind"))) for thing in things)
    return [f"{kind} of {version}" for version, kind in wanted if kinds.path(version, kind, "x", "x") is None]


def without_right(cluster: Cluster, rights: Iterable[tuple[str | None, Right]]) -> list[str]:
    """What may not be done, a line each, with the rule that would grant it. Raises Unavailable and Refused."""
    return [line for namespace, right in rights for line in missing(cluster, namespace, [right])]


def read_live(
    cluster: Cluster, kinds: Kinds, keys: Iterable[Key], comparison: Comparison
) -> tuple[dict[Key, Object | None], str]:
    """The objects as they are in the cluster, None where there is none; and, in words, what could not be read.

    Raises Unavailable.
    """
    live: dict[Key, Object | None] = {}
    refused = []
    for key in keys:
        thing = comparison.now.get(key) or comparison.then[key]
        path = kinds.path(str(thing.get("apiVersion")), key.kind, key.namespace, key.name)
        if path is None:
            continue
        try:
            live[key] = _or_none(cluster, path)
        except Refused:
            refused.append(str(key))
    words = f"not all was checked: no right to read {', '.join(refused)}" if refused else ""
    return live, words


def with_their_objects(
    cluster: Cluster, kinds: Kinds, owners: Iterable[Owner], namespace: str
) -> list[tuple[Owner, Object | None]]:
    """Each owner with its own object. None where it may not be read, or is in another cluster (where an Argo CD or
    Flux may be that manages this one). `namespace` is the release's. Raises Unavailable."""
    found: list[tuple[Owner, Object | None]] = []
    for owner in owners:
        version = kinds.preferred(owner.group)
        if version is None:
            found.append((owner, None))
        elif owner.namespace is None:
            named = _applications(cluster, kinds, version, owner.name, namespace)
            known = [Owner("Application", at(one, "metadata.namespace"), owner.name, owner.marked) for one in named]
            found += list(zip(known, named, strict=True)) or [(owner, None)]
        else:
            path = kinds.path(version, owner.kind, owner.namespace, owner.name)
            found.append((owner, _readable(cluster, path)))
    return found


def unmarked_application(
    cluster: Cluster, kinds: Kinds, things: Iterable[Key], names: Iterable[str], namespace: str
) -> tuple[Owner, Object] | None:
    """The Argo CD Application that lists objects of the release without marking them. Raises Unavailable."""
    version = kinds.preferred(ARGO) if names else None
    if version is None:
        return None
    wanted = list(things)
    for name in sorted(set(names)):
        for application in _applications(cluster, kinds, version, name, namespace):
            owner = owning_application([application], wanted, [name])
            if owner is not None:
                return owner, application
    return None


def suspend(cluster: Cluster, owner: Owner) -> None:
    """Make the owner leave the release alone. Raises Unavailable and Refused."""
    kinds = Kinds(cluster)
    version = kinds.preferred(owner.group)
    path = kinds.path(version, owner.kind, owner.namespace, owner.name) if version and owner.namespace else None
    if path is None:
        raise Refused(f"{owner} can't be suspended: the cluster does not know it")
    cluster.patch(path, suspension(owner))


def _applications(cluster: Cluster, kinds: Kinds, version: str, name: str, namespace: str) -> list[Object]:
    """Applications of that name: everywhere, or where they usually are if not everything may be listed."""
    path = kinds.collection(version, "Application", None)
    if path is None:
        return []
    try:
        return list(cluster.items(path, {"fieldSelector": f"metadata.name={name}"}))
    except Refused:
        paths = [kinds.path(version, "Application", there, name) for there in (ARGO_NAMESPACE, namespace)]
        return [found for path in paths if (found := _readable(cluster, path)) is not None]


def _readable(cluster: Cluster, path: str | None) -> Any:
    if path is None:
        return None
    try:
        return _or_none(cluster, path)
    except Refused:
        return None
