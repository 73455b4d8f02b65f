"""Two revisions' manifests side by side: what `helm rollback` would create, change and delete.

Pure. `now` is the manifest of the revision that runs, `then` that of the one to bring back. Objects are what YAML
makes of a manifest; which object is which is decided as Helm does it: by group, kind, namespace and name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Object = Mapping[str, Any]


class Key(NamedTuple):
    """Which object it is."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def key_of(thing: Object, namespace: str) -> Key:
    """`namespace`: the release's, which objects that name none get."""
    metadata = thing.get("metadata") or {}
    group, slash, _ = str(thing.get("apiVersion") or "").partition("/")
    return Key(
        group=group if slash else "",
        kind=str(thing.get("kind") or ""),
        namespace=str(metadata.get("namespace") or namespace),
        name=str(metadata.get("name") or ""),
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """The objects of both revisions, and what the way from one to the other does to them."""

    now: Mapping[Key, Object]
    then: Mapping[Key, Object]

    @property
    def created(self) -> tuple[Key, ...]:
        """What only the revision to bring back has."""
        return tuple(key for key in self.then if key not in self.now)

    @property
    def changed(self) -> tuple[Key, ...]:
        """What differs."""
        return tuple(key for key, thing in self.then.items() if key in self.now and self.now[key] != thing)

    @property
    def deleted(self) -> tuple[Key, ...]:
        """What only the running revision has."""
        return tuple(key for key in self.now if key not in self.then)

    @property
    def lines(self) -> tuple[str, ...]:
        """Each object that is touched: `Deployment/app`, `ConfigMap/new (deleted)`."""
        return (
            *(str(key) for key in self.changed),
            *(f"{key} (created)" for key in self.created),
            *(f"{key} (deleted)" for key in self.deleted),
        )


def compare(now: Iterable[Object], then: Iterable[Object], namespace: str) -> Comparison:
    """Both manifests' objects; `namespace` is the release's."""
    return Comparison(
        now={key_of(thing, namespace): thing for thing in now},
        then={key_of(thing, namespace): thing for thing in then},
    )


def at(thing: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for step in path.split("."):
        thing = thing.get(step) if isinstance(thing, Mapping) else None
    return thing


def crd_files(body: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of the chart's `crds/` folder, which Helm installs once and never changes. Subcharts' are not in a
    release's body."""
    found = {}
    for file in (body.get("chart") or {}).get("files") or ():
        name = str(file.get("name") or "")
        if name.startswith("crds/"):
            try:
                found[name] = base64.b64decode(file.get("data") or "", validate=True)
            except (binascii.Error, ValueError):
                found[name] = b""
    return found


def crd_warnings(now: Mapping[str, bytes], then: Mapping[str, bytes], names: tuple[str, str]) -> list[str]:
    """What is to know of the CRDs in `crds/`; `names` are the two revisions, running first."""
    running, to = names
    differing = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    if not differing:
        return []
    files = ", ".join(differing)
    what = f"Helm never brings CRDs back: {files} of the chart differs between revision {running} and {to}"
    return [f"{what}; the cluster keeps the CRD it has. Was it changed by hand for the deploy? Change it back by hand"]
