"""The revisions of one release, newest first by their labels alone; a body only on demand. The one thing written here
is a plan's mark: a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from watchdog.act.helm.changes import Object
from watchdog.errors import Refused
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.errors import NotThere
from watchdog.kubernetes.releases import PLAN_LABEL, Release, body_of, object_name, of_release, release_of, storage_path
from watchdog.model.target import HelmSpec


class Storage:
    """Helm's own record of a release."""

    def __init__(self, cluster: Cluster, spec: HelmSpec) -> None:
        self._cluster, self._spec = cluster, spec

    def history(self) -> list[Release]:
        """All revisions, newest first. Raises Unavailable and Refused."""
        spec = self._spec
        listed = storage_path(spec.storage, spec.namespace)
        things = self._cluster.items(listed, of_release(spec.storage, spec.release), metadata=True)
        found = [release for thing in things if (release := release_of(thing)) is not None]
        return sorted(found, key=lambda release: release.version, reverse=True)

    def body(self, version: int) -> dict[str, Any]:
        """The release as Helm stored it. Raises Unavailable, and Refused when it is gone or damaged."""
        try:
            return body_of(self._cluster.get(self._path(version)))
        except NotThere as error:
            raise Refused(
                f"revision {version} of release {self._spec.release} is no longer in Helm's history"
            ) from error

    def mark(self, version: int, value: str | None) -> None:
        """Put a plan's mark on a revision, or take it off. Raises Unavailable and Refused."""
        self._cluster.patch(self._path(version), {"metadata": {"labels": {PLAN_LABEL: value}}})

    def name_of(self, version: int) -> str:
        """The storage object's name."""
        return object_name(self._spec.release, version)

    def _path(self, version: int) -> str:
        return storage_path(self._spec.storage, self._spec.namespace, self._spec.release, version)


def parse(manifest: str) -> list[Object]:
    """The objects of a manifest; the items of a List one by one. Raises Refused when it is no YAML."""
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # Helm takes them
    try:
        documents = list(yaml.load_all(manifest))
    except (YAMLError, ValueError) as error:
        raise Refused(f"a manifest of the release can't be read: {str(error)[:300]}") from error
    things = [thing for thing in documents if isinstance(thing, Mapping)]
    return [
        item
        for thing in things
        for item in ((thing.get("items") or ()) if thing.get("kind") == "List" else (thing,))
        if isinstance(item, Mapping)
    ]
