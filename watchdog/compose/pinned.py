"""A recorded config as a rollback uses it: images pinned by id, nothing built or pulled, what exists left as it is.

Pure. A pinned config is JSON, which every YAML reader takes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

_NOT_OURS = ("build", "profiles", "pull_policy")
"""Fields of a service that make no difference to its containers, and would to `up`. They are not in config hashes."""


def pinned(config: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Any]:
    """The config with only the services that have an image id, each with that image."""
    out: dict[str, Any] = json.loads(json.dumps(config))
    out["services"] = {
        service: {**{key: value for key, value in body.items() if key not in _NOT_OURS}, "image": images[service]}
        for service, body in out["services"].items()
        if service in images
    }
    for body in out["services"].values():
        wanted = body.get("depends_on")
        if isinstance(wanted, dict):
            body["depends_on"] = {name: how for name, how in wanted.items() if name in images}
    return out


def leaving_alone(config: Mapping[str, Any], networks: Collection[str], volumes: Collection[str]) -> dict[str, Any]:
    """The config with those networks and volumes (by their real names) as external: Compose uses what is external as
    it is, and so can't recreate a network under a running service, nor a volume with data in it."""
    out = dict(config)
    for section, existing in (("networks", networks), ("volumes", volumes)):
        out[section] = {
            key: {"name": real, "external": True} if (real := real_name(config, section, key)) in existing else body
            for key, body in (config.get(section) or {}).items()
        }
    return out


def real_name(config: Mapping[str, Any], section: str, key: str) -> str:
    """What the engine calls a network or volume of the config."""
    body = (config.get(section) or {}).get(key) or {}
    return str(body.get("name") or f"{config.get('name', '')}_{key}")


def text_of(config: Mapping[str, Any]) -> str:
    """The config as the text of a file."""
    return json.dumps(config, indent=1)
