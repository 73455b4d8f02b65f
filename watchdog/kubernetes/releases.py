"""How Helm keeps its releases: one Secret (or ConfigMap) a revision, with labels that say all but the body.

Pure. Only labels are needed to know what is newest, and whether it is pending; a body is decoded on request.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern
from typing import Any, Literal

from watchdog.errors import Refused
from watchdog.kubernetes.paths import CORE, path

Storage = Literal["secret", "configmap"]

PLAN_LABEL = "deploy-watchdog/plan"
"""On a revision that our rollback made: `PLAN.VERSION`. Helm copies labels on, so it counts only where VERSION is the
revision's own."""
GUARD_LABEL = "deploy-watchdog/guard"
"""`false` on the newest revision: a pattern leaves this release alone."""

PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})
GONE = frozenset({"uninstalling", "uninstalled"})
DEPLOYED, FAILED, SUPERSEDED = "deployed", "failed", "superseded"

MOST_BYTES = 64 * 1024 * 1024
"""Of a body, unpacked. What Helm packs is at most 1 MiB packed."""


@dataclass(frozen=True, slots=True)
class Release:
    """One revision of a release, as its storage object's metadata tells."""

    namespace: str
    name: str
    version: int
    status: str
    uid: str
    created: datetime
    modified: datetime
    """When Helm last wrote it."""
    plan: str | None = None
    """The id of the watchdog's plan that made this revision."""
    guarded: bool = True
    """False: its switch says that patterns leave it alone."""

    @property
    def pending(self) -> bool:
        """Whether an operation is under way, or died."""
        return self.status in PENDING

    @property
    def fingerprint(self) -> str:
        """Changes exactly when another revision is the newest; never with a status. Empty when it is uninstalled."""
        return "" if self.status in GONE else f"v{self.version}-{self.uid[:8]}"


def selector(storage: Storage) -> dict[str, str]:
    """What a list or a watch of release objects asks for."""
    if storage == "secret":
        return {"labelSelector": "owner=helm", "fieldSelector": "type=helm.sh/release.v1"}
    return {"labelSelector": "owner=helm"}


def of_release(storage: Storage, name: str) -> dict[str, str]:
    """What a list of one release's objects asks for."""
    return {**selector(storage), "labelSelector": f"owner=helm,name={name}"}


def storage_path(storage: Storage, namespace: str | None, release: str = "", version: int = 0) -> str:
    """Where the objects are; with a release and a version, where that one is."""
    name = object_name(release, version) if release else None
    return path(CORE, "secrets" if storage == "secret" else "configmaps", namespace, name)


def object_name(release: str, version: int) -> str:
    """The name Helm gives a revision's Secret or ConfigMap."""
    return f"sh.helm.release.v1.{release}.v{version}"


def release_of(thing: Mapping[str, Any]) -> Release | None:
    """What a release object's metadata says; None when it is no release object."""
    metadata = thing.get("metadata") or {}
    labels = metadata.get("labels") or {}
    name, version = labels.get("name"), labels.get("version") or ""
    created = instant(metadata.get("creationTimestamp"))
    if labels.get("owner") != "helm" or not name or not version.isdigit() or created is None:
        return None
    if metadata.get("name") != object_name(name, int(version)):
        return None
    return Release(
        namespace=intern(str(metadata.get("namespace", ""))),  # thousands of releases share a few such words
        name=name,
        version=int(version),
        status=intern(str(labels.get("status", ""))),
        uid=str(metadata.get("uid", "")),
        created=created,
        modified=_stamp(labels.get("modifiedAt") or labels.get("createdAt")) or created,
        plan=plan_of(labels),
        guarded=str(labels.get(GUARD_LABEL, "")).lower() != "false",
    )


def plan_of(labels: Mapping[str, str]) -> str | None:
    """The id of our plan that made the revision with these labels."""
    plan, _, version = labels.get(PLAN_LABEL, "").rpartition(".")
    return plan if plan and version == labels.get("version") else None


def body_of(thing: Mapping[str, Any]) -> dict[str, Any]:
    """A release object's body: Helm's own release, with its chart, its values and its manifest. Holds secrets.

    Raises Refused when it is damaged.
    """
    name = (thing.get("metadata") or {}).get("name", "?")
    try:
        packed = base64.b64decode((thing.get("data") or {})["release"])
        if thing.get("kind") == "Secret" or not packed.startswith(b"\x1f\x8b"):
            packed = base64.b64decode(packed)
        if packed.startswith(b"\x1f\x8b"):
            packed = zlib.decompressobj(wbits=31).decompress(packed, MOST_BYTES)
        body = json.loads(packed)
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
        raise Refused(f"the release in {name} can't be decoded ({type(error).__name__}); is it Helm's own?") from error
    if not isinstance(body, dict):
        raise Refused(f"the release in {name} is not Helm's")
    return body


def instant(text: Any) -> datetime | None:
    """A time as the API and Helm write it, at whatever precision; None for none, or Go's year 1."""
    if not isinstance(text, str) or not text or text.startswith("0001-"):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _stamp(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if isinstance(seconds, str) and seconds.isdigit() else None
