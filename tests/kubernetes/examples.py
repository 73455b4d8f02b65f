"""Release objects as the API server sends them."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

AT = "2026-11-25T12:00:00Z"


def release_object(
    name: str = "app", version: int = 1, status: str = "deployed", namespace: str = "shop", **labels: str
) -> dict[str, Any]:
    found = {"owner": "helm", "name": name, "version": str(version), "status": status, "modifiedAt": "1795608000"}
    return {
        "kind": "PartialObjectMetadata",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{version}",
            "namespace": namespace,
            "uid": f"{version:08d}-of-{name}",
            "creationTimestamp": AT,
            "labels": found | labels,
            "resourceVersion": str(100 + version),
        },
    }


def packed(body: Any, kind: str = "Secret") -> dict[str, Any]:
    """With a body, as Helm packs it."""
    text = base64.b64encode(gzip.compress(json.dumps(body).encode()))
    text = base64.b64encode(text) if kind == "Secret" else text
    return {**release_object(), "kind": kind, "data": {"release": text.decode()}}
