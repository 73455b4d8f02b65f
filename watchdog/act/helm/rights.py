"""The rights that a rollback needs, worked out before it begins: one that lacks a right stops half-way.

Pure. Seen with Helm 3.22 and 4.3: both read every object of the revision that comes back and list ReplicaSets while
they wait; Helm 3 patches what differs, Helm 4 with server-side apply patches everything, and watches it all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from watchdog.act.helm.changes import Comparison, Key
from watchdog.act.helm.hooks import ROLLING_BACK
from watchdog.kubernetes.rights import Right

Resource = Callable[[Key], tuple[str, bool] | None]
"""An object's resource (`deployments`) and whether it is in a namespace; None: the cluster does not know its kind."""

Needed = dict[tuple[str | None, str, str], set[str]]
"""Verbs, by namespace (None: of the cluster), group and resource."""

_ORDER = ("get", "list", "watch", "create", "update", "patch", "delete")


def needed(
    comparison: Comparison,
    to: Mapping[str, Any],
    major: int,
    storage: Literal["secret", "configmap"],
    resource: Resource,
) -> list[tuple[str | None, Right]]:
    """What has to be allowed, each with the namespace it is needed in. `to`: the body that comes back."""
    found: Needed = {}
    home = str(to.get("namespace"))

    def add(key: Key, *verbs: str) -> None:
        known = resource(key)
        if known is not None:
            found.setdefault((key.namespace if known[1] else None, key.group, known[0]), set()).update(verbs)

    found[home, "", f"{storage}s"] = {"get", "list", "create", "update", "patch"}
    server_side = major >= 4 and to.get("apply_method") == "ssa"
    changed, created = set(comparison.changed), set(comparison.created)
    for key in comparison.then:
        add(key, "get", *(("watch", "list") if major >= 4 else ()))
        if key in changed or (server_side and key not in created):
            add(key, "patch")
        if key in created:
            add(key, "create", *(("patch",) if server_side else ()))
        if key.group == "apps" and key.kind == "Deployment":
            add(Key("apps", "ReplicaSet", key.namespace, ""), "list")
    for key in comparison.deleted:
        add(key, "get", "delete")
    for hook in to.get("hooks") or ():
        if ROLLING_BACK.intersection(map(str, hook.get("events") or ())):
            group = "batch" if hook.get("kind") == "Job" else ""
            add(Key(group, str(hook.get("kind")), home, ""), "get", "list", "watch", "create", "delete")
    return [
        (namespace, Right(group, name, tuple(verb for verb in _ORDER if verb in verbs)))
        for (namespace, group, name), verbs in found.items()
    ]
