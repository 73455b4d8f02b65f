"""Pods and workloads as the API server sends them, with only what a test is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from watchdog.kubernetes.releases import Release

SINCE = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
"""When the revision came."""


def at(seconds: float) -> str:
    return (SINCE + timedelta(seconds=seconds)).isoformat()


def release(version: int = 2, status: str = "deployed", written: float = 0) -> Release:
    modified = SINCE + timedelta(seconds=written)
    return Release("shop", "app", version, status, f"{version:08d}-uid", SINCE, modified)


def ended(code: int, seconds: float, reason: str = "Error", **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "finishedAt": at(seconds), "reason": reason, **more}}


def running(seconds: float) -> dict[str, Any]:
    return {"running": {"startedAt": at(seconds)}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def status(state: dict[str, Any], last: dict[str, Any] | None = None, restarts: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": "api", "state": state, "lastState": last or {}, "restartCount": restarts, **more}


def pod(
    *statuses: dict[str, Any],
    created: float = 1,
    name: str = "api-6c8d-x",
    policy: str = "Always",
    containers: list[dict[str, Any]] | None = None,
    init: list[dict[str, Any]] | None = None,
    init_statuses: list[dict[str, Any]] | None = None,
    **status_more: Any,
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "creationTimestamp": at(created)},
        "spec": {
            "restartPolicy": policy,
            "containers": containers or [{"name": "api", "image": "app:2"}],
            "initContainers": init or [],
        },
        "status": {"containerStatuses": list(statuses), "initContainerStatuses": init_statuses or [], **status_more},
    }
