"""Manifests and release bodies for the tests of act/helm_*: as YAML and Helm make them, in a few words."""

from __future__ import annotations

import json
from typing import Any

Thing = dict[str, Any]


def thing(kind: str, name: str = "app", api: str = "v1", **fields: Any) -> Thing:
    metadata = {"name": name, **fields.pop("metadata", {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


def deployment(name: str = "app", selector: str = "app", image: str = "app:1", **metadata: Any) -> Thing:
    spec = {"selector": {"matchLabels": {"app": selector}}, "template": {"spec": {"containers": [{"image": image}]}}}
    return thing("Deployment", name, "apps/v1", spec=spec, metadata=metadata)


def stateful_set(name: str = "db", size: str = "1Gi", **spec: Any) -> Thing:
    claim = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": size}}}}
    given = {"serviceName": "db", "replicas": 2, "selector": {"matchLabels": {"app": "db"}}}
    return thing("StatefulSet", name, "apps/v1", spec={**given, "volumeClaimTemplates": [claim], **spec})


def claim(name: str = "data", size: str = "1Gi", **fields: Any) -> Thing:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **fields.pop("spec", {})}
    return thing("PersistentVolumeClaim", name, spec=spec, **fields)


def job(name: str = "migrate", image: str = "app:2", **annotations: str) -> Thing:
    template = {"spec": {"containers": [{"name": "m", "image": image}], "restartPolicy": "Never"}}
    return thing("Job", name, "batch/v1", spec={"template": template}, metadata={"annotations": annotations})


def parse(text: str) -> list[Thing]:
    """JSON is YAML: the tests' manifests are lists of objects."""
    found = json.loads(text or "[]")
    return found if isinstance(found, list) else [found]


def hook(
    what: Thing,
    *events: str,
    ran_at: str | None = "2026-11-25T12:00:01.123456789Z",
    phase: str = "Succeeded",
) -> Thing:
    run = {"started_at": ran_at or "", "completed_at": ran_at or "", "phase": phase if ran_at else ""}
    name = what["metadata"]["name"]
    return {
        "name": name, "kind": what["kind"], "manifest": json.dumps(what), "events": list(events), "last_run": run,
    }  # fmt: skip


def body(
    version: int,
    *things: Thing,
    hooks: tuple[Thing, ...] = (),
    status: str = "deployed",
    deployed_at: str = "2026-11-25T12:00:00.987654321Z",
    files: dict[str, str] | None = None,
) -> Thing:
    return {
        "name": "app", "namespace": "staging", "version": version,
        "info": {"status": status, "last_deployed": deployed_at},
        "chart": {"files": [{"name": name, "data": data} for name, data in (files or {}).items()]},
        "manifest": json.dumps(list(things)), "hooks": list(hooks),
    }  # fmt: skip
