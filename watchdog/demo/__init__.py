"""`watchdog demo`: a small service with traffic, broken on purpose, guarded by the real engine.

The service, its host and its traffic are only a stage: the engine reads a config file, as for anybody's service.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

DONE, NOT_RECOVERED, NO_STAGE, INTERRUPTED, TERMINATED = 0, 1, 3, 130, 143
"""Exit codes: as hoped; not so; the stage can't be built here (no Docker engine, no image); ended by a signal."""


class Fault(StrEnum):
    """What the second version does wrong."""

    latency = "latency"
    errors = "errors"
    crash = "crash"
    memory = "memory"
    cpu = "cpu"
    health = "health"
    none = "none"


class Kind(StrEnum):
    """What runs the demo's service."""

    command = "command"
    compose = "compose"


def run(
    *,
    fault: Fault | str = Fault.errors,
    platform: Kind | str = Kind.command,
    json: bool = False,
    image: str | None = None,
    console: Console,
) -> int:
    """Deploy a bad version of a small service, and let the engine find it and roll it back. Returns the exit code.

    `json`: print one JSON document at the end and nothing else. `image`: what the compose platform runs the service
    in, any image with Python 3; DEMO_IMAGE or python:3-slim by default. Must be called from the main thread: it
    listens to SIGINT and SIGTERM, and leaves no process, container or file behind.
    """
    from watchdog.demo.play import perform  # noqa: PLC0415 -- the service and its host start without the engine

    return perform(Fault(fault), Kind(platform), json=json, image=image, console=console)


__all__ = ["DONE", "INTERRUPTED", "NOT_RECOVERED", "NO_STAGE", "TERMINATED", "Fault", "Kind", "run"]
