"""Everything that is read for one draft, in its order: bodies, live objects, owners, kinds, rights. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.act.helm.changes import Comparison, Key, compare
from watchdog.act.helm.cluster import (
    Kinds,
    not_served,
    read_live,
    unmarked_application,
    with_their_objects,
    without_right,
)
from watchdog.act.helm.draft import Found, application_names, questions
from watchdog.act.helm.owners import owners
from watchdog.act.helm.rights import needed
from watchdog.act.helm.storage import Storage, parse
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.releases import Release
from watchdog.model.target import HelmSpec

BETWEEN = 10
"""Revisions between the two whose hooks are looked at; a body can be 1 MiB."""


def read(
    cluster: Cluster, spec: HelmSpec, storage: Storage, history: Sequence[Release], to: Release, major: int
) -> Found:
    """`history` is newest first; its first is what runs. `major`: Helm's. Raises Unavailable and Refused."""
    kinds = Kinds(cluster)
    now, then = storage.body(history[0].version), storage.body(to.version)
    newer = [stored.version for stored in history if to.version < stored.version < history[0].version]
    comparison = compare(parse(now["manifest"]), parse(then["manifest"]), spec.namespace)
    live, unread = read_live(cluster, kinds, questions(comparison), comparison)
    things = [*comparison.now.values(), *(thing for thing in live.values() if thing is not None)]
    owned = with_their_objects(cluster, kinds, owners(things, spec.namespace), spec.namespace)
    if not owned:
        names = application_names(comparison, live)
        unmarked = unmarked_application(cluster, kinds, comparison.now, names, spec.namespace)
        owned = [unmarked] if unmarked else []

    def resource(key: Key) -> tuple[str, bool] | None:
        return kinds.resource(_version(comparison, key), key.kind)

    return Found(
        now=now,
        to=then,
        between=[storage.body(version) for version in newer[:BETWEEN]],
        comparison=comparison,
        live=live,
        not_served=not_served(kinds, [*comparison.now.values(), *comparison.then.values()]),
        owners=owned,
        without_right=without_right(cluster, needed(comparison, then, major, spec.storage, resource)),
        unread=unread,
    )


def _version(comparison: Comparison, key: Key) -> str:
    thing = comparison.then.get(key) or comparison.now.get(key)
    known = {"apps": "apps/v1", "batch": "batch/v1", "": "v1"}
    return str(thing.get("apiVersion")) if thing else known.get(key.group, "v1")
