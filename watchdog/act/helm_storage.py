"""Helm's own record of a release's revisions: Secrets or ConfigMaps, of which only labels are read until a body is
needed. The one thing written here is a plan's mark, a label."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from watchdog.act.helm_changes import Object, at
from watchdog.act.helm_cluster import Api
from watchdog.act.helm_plan import Stored, marked_plan
from watchdog.errors import Refused
from watchdog.model.target import HelmSpec

PLAN_LABEL = "deploy-watchdog/plan"
"""`PLAN.REVISION`, on the revision that a plan made; Helm copies it there from the revision that was brought back."""

LARGEST = 32 * 1024 * 1024
"""Bytes of a release body, unpacked. Packed it is at most 1 MiB."""


class Storage:
    """The revisions of one release."""

    def __init__(self, api: Api, spec: HelmSpec) -> None:
        self._api, self._spec = api, spec
        self._path = f"/api/v1/namespaces/{spec.namespace}/{spec.storage}s"

    def name_of(self, version: int) -> str:
        """The storage object's name."""
        return f"sh.helm.release.v1.{self._spec.release}.v{version}"

    def history(self) -> list[Stored]:
        """All revisions, newest first, by their metadata alone. Raises Unavailable and Refused."""
        query = {"labelSelector": f"owner=helm,name={self._spec.release}"}
        found = self._api.get(self._path, query, metadata_only=True) or {}
        stored = [_stored(item["metadata"]) for item in found.get("items") or ()]
        return sorted(stored, key=lambda one: one.version, reverse=True)

    def body(self, version: int) -> dict[str, Any]:
        """The release as Helm stored it. Raises Unavailable, and Refused when it is gone or can't be read."""
        found = self._api.get(f"{self._path}/{self.name_of(version)}")
        if found is None:
            raise Refused(f"revision {version} of release {self._spec.release} is no longer in Helm's history")
        text = str(at(found, "data.release") or "")
        try:
            return unpacked(base64.b64decode(text) if self._spec.storage == "secret" else text.encode())
        except (binascii.Error, zlib.error, OSError, ValueError) as error:
            raise Refused(f"revision {version} of release {self._spec.release} can't be read: {error}") from error

    def mark(self, version: int, value: str | None) -> None:
        """Put a plan's mark on a revision, or take it off. Raises Unavailable and Refused."""
        body = {"metadata": {"labels": {PLAN_LABEL: value}}}
        self._api.patch(f"{self._path}/{self.name_of(version)}", body)


def unpacked(packed: bytes) -> dict[str, Any]:
    """A release body from Helm's base64 of gzip of JSON; old ones are not zipped. Raises ValueError and zlib.error."""
    raw = base64.b64decode(packed)
    if raw[:2] == b"\x1f\x8b":
        unzipped = zlib.decompressobj(wbits=31)
        raw = unzipped.decompress(raw, LARGEST)
        if unzipped.unconsumed_tail:
            raise ValueError(f"it is larger than {LARGEST} bytes")
    found = json.loads(raw)
    return dict(found)


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


def _stored(metadata: Mapping[str, Any]) -> Stored:
    labels = metadata.get("labels") or {}
    version = int(labels.get("version") or 0)
    created = datetime.fromisoformat(str(metadata["creationTimestamp"]))
    written = str(labels.get("modifiedAt") or labels.get("createdAt") or "")
    changed = datetime.fromtimestamp(int(written), UTC) if written.isdigit() else created
    return Stored(
        version=version,
        status=str(labels.get("status") or "unknown"),
        changed_at=max(created, changed),
        plan=marked_plan(labels, PLAN_LABEL, version),
    )
