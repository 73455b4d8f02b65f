"""The files a project mounts into its containers (binds, configs, secrets): found, and recorded by hash.

Their contents are never kept: a rollback can say that one changed, and cannot bring it back.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HASHED = 256 * 1024 * 1024
"""Bytes of a file that are hashed at most; a larger one is recorded by its size and time."""


def mounted(config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Path on the host → services that mount it, of a resolved config. Whether it is a file is not asked."""
    users: dict[str, set[str]] = {}
    for service, body in config["services"].items():
        for volume in body.get("volumes") or ():
            if isinstance(volume, Mapping) and volume.get("type") == "bind" and volume.get("source"):
                users.setdefault(str(volume["source"]), set()).add(service)
        for section in ("configs", "secrets"):
            for use in body.get(section) or ():
                name = use.get("source") if isinstance(use, Mapping) else use
                path = ((config.get(section) or {}).get(name) or {}).get("file")
                if path:
                    users.setdefault(str(path), set()).add(service)
    return {_plain(path): tuple(sorted(services)) for path, services in sorted(users.items())}


def _plain(path: str) -> str:
    return path.replace("$$", "$")  # a resolved config escapes it


def from_environment(config: Mapping[str, Any]) -> list[str]:
    """Configs and secrets whose content came from the deployer's shell: nobody else can bring them back."""
    return [
        f"{section[:-1]} {name} (variable {body['environment']})"
        for section in ("configs", "secrets")
        for name, body in (config.get(section) or {}).items()
        if isinstance(body, Mapping) and body.get("environment")
    ]


def record(paths: Mapping[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    """What each path holds now: `{path, services, kind, digest}`; kinds: file, directory, other, gone, unreadable."""
    return [{"path": path, "services": list(services), **look(path)} for path, services in paths.items()]


def look(path: str) -> dict[str, str]:
    """The kind of one path and, of a file, its digest."""
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            return {"kind": "directory", "digest": ""}
        if not stat.S_ISREG(status.st_mode):
            return {"kind": "other", "digest": ""}
        if status.st_size > HASHED:
            return {"kind": "file", "digest": f"size {status.st_size} at {status.st_mtime_ns}"}
        with Path(path).open("rb") as file:
            return {"kind": "file", "digest": f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"}
    except FileNotFoundError:
        return {"kind": "gone", "digest": ""}
    except OSError as error:
        return {"kind": "unreadable", "digest": error.strerror or ""}


def differences(recorded: list[dict[str, Any]], services: frozenset[str]) -> list[str]:
    """What of the recorded files is no longer as it was, in words, for those of these services."""
    found = []
    for entry in recorded:
        used_by = sorted(services & set(entry["services"]))
        if not used_by or entry["kind"] in {"directory", "other"}:
            continue
        now = look(entry["path"])
        if (now["kind"], now["digest"]) == (entry["kind"], entry["digest"]):
            continue
        who = ", ".join(used_by)
        if now["kind"] == "gone":
            found.append(f"file {entry['path']}, mounted by {who}, is gone and cannot be brought back")
        elif entry["kind"] == "file" and now["kind"] == "file":
            found.append(f"file {entry['path']}, mounted by {who}, has changed since; it stays as it is now")
        else:
            found.append(f"file {entry['path']}, mounted by {who}, was {entry['kind']} and is {now['kind']} now")
    return found
