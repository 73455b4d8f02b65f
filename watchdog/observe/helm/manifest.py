"""What a release's body says that is worth keeping: its workloads, its hooks, its chart, and what it brought back.

Pure. Only documents that may be workloads are parsed: a manifest may be a megabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from watchdog.kubernetes.releases import instant

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")

_SEPARATOR = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
_MENTIONED = re.compile(r"""\bkind["']?\s*:\s*["']?(?:Deployment|StatefulSet|DaemonSet|Job|CronJob|\w*List)\b""")
_ROLLBACK = re.compile(r"^Rollback to (\d+)$")
_SLACK = timedelta(seconds=2)
"""A hook's start and its release's, taken by one process and rounded differently."""


@dataclass(frozen=True, slots=True)
class Ref:
    """An object's place."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook that ran for this revision, or is still running."""

    ref: Ref
    events: str
    phase: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept of a body. No secret is in it."""

    chart: str = ""
    description: str = ""
    brought_back: str | None = None
    workloads: tuple[Ref, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    """Service → image, as the manifest names it: there may be no pod yet that would know its id."""
    hooks: tuple[Hook, ...] = ()


def facts(body: Mapping[str, Any]) -> Facts:
    """What is worth keeping of a release's body."""
    info, namespace = body.get("info") or {}, str(body.get("namespace") or "")
    chart = (body.get("chart") or {}).get("metadata") or {}
    things = list(workloads(str(body.get("manifest") or "")))
    return Facts(
        chart=f"{chart.get('name', '?')}-{chart.get('version', '?')}",
        description=" ".join(str(info.get("description") or "").split()),
        brought_back=brought_back(info),
        workloads=tuple(dict.fromkeys(_ref(thing, namespace) for thing in things)),
        images=dict(sorted(pair for thing in things for pair in _images(thing))),
        hooks=tuple(_hooks(body, namespace)),
    )


def brought_back(info: Mapping[str, Any]) -> str | None:
    """The revision that this one is a rollback to, where it is one: Helm 4 records it, Helm 3 only describes it."""
    number = info.get("rollback_revision")
    if isinstance(number, int) and number > 0:
        return str(number)
    match = _ROLLBACK.match(str(info.get("description") or ""))
    return match[1] if match else None


def workloads(manifest: str) -> Iterator[Mapping[str, Any]]:
    """The workloads of a manifest, in its order. A document that can't be parsed was refused by Helm too."""
    for text in documents(manifest):
        if _MENTIONED.search(text):
            yield from (thing for thing in parsed(text) if thing.get("kind") in WORKLOADS)


def documents(manifest: str) -> list[str]:
    """The texts of a manifest's documents."""
    return _SEPARATOR.split(manifest)


def parsed(text: str) -> Iterator[Mapping[str, Any]]:
    """The objects of one document; a List's items each."""
    try:
        thing = YAML(typ="safe").load(text)
    except (YAMLError, ValueError):
        return
    if not isinstance(thing, Mapping):
        return
    items = thing.get("items")
    if str(thing.get("kind", "")).endswith("List") and isinstance(items, Sequence):
        yield from (item for item in items if isinstance(item, Mapping))
    else:
        yield thing


def _ref(thing: Mapping[str, Any], namespace: str) -> Ref:
    metadata = thing.get("metadata") or {}
    return Ref(str(thing.get("kind")), str(metadata.get("namespace") or namespace), str(metadata.get("name")))


def _images(thing: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    name, spec = str((thing.get("metadata") or {}).get("name")), thing.get("spec") or {}
    spec = ((spec.get("jobTemplate") or {}).get("spec") or {}) if thing.get("kind") == "CronJob" else spec
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    for one in containers:
        yield (name if len(containers) == 1 else f"{name}/{one.get('name')}"), str(one.get("image") or "")


def _hooks(body: Mapping[str, Any], namespace: str) -> Iterator[Hook]:
    """Those that ran in this very revision: a rollback copies the older one's runs."""
    deployed = instant((body.get("info") or {}).get("last_deployed"))
    for hook in body.get("hooks") or ():
        run = hook.get("last_run") or {}
        started = instant(run.get("started_at"))
        if _ran(started, deployed):
            events = ", ".join(str(event) for event in hook.get("events") or ())
            ref = Ref(str(hook.get("kind")), namespace, str(hook.get("name")))
            yield Hook(ref, events, str(run.get("phase") or "Unknown"))


def _ran(started: datetime | None, deployed: datetime | None) -> bool:
    return started is not None and (deployed is None or started >= deployed - _SLACK)
