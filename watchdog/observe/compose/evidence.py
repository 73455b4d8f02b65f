"""What a rollback of a Compose project would destroy: logs, states and events of its containers, secrets masked.

Bounded in size. Part is better than nothing: what can't be read is a note saying so.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from typing import Literal

import requests
from docker import APIClient
from docker.errors import DockerException

from watchdog.compose.engine import Container
from watchdog.model.deploy import EvidenceItem, Instance
from watchdog.model.masking import mask, secrets_in
from watchdog.observe.compose.events import Life
from watchdog.observe.compose.instances import Seen, exits, instances

LIMIT = 256 * 1024
"""Bytes of one text at most, the newest."""
LINES_OF_FAILING, LINES_OF_OTHERS = 2_000, 100
MOST_CONTAINERS = 20


def evidence(client: APIClient, seen: Sequence[Seen], removed: Sequence[tuple[str, Life]]) -> list[EvidenceItem]:
    """Failing containers first and at length, then the others briefly."""
    secrets = {secret for s in seen for secret in secrets_in(s.container.environment)}
    crashed = {e.instance for e in exits(seen)}
    described = {i.id: i for i in instances(seen)}
    failing = [s for s in seen if _is_failing(described[s.container.id], crashed)]
    others = [s for s in seen if s not in failing]
    items = [_events(seen, removed, secrets)]
    for s, lines in [*((s, LINES_OF_FAILING) for s in failing), *((s, LINES_OF_OTHERS) for s in others)][
        :MOST_CONTAINERS
    ]:
        items += [_state(s.container, secrets), _logs(client, s.container, lines, secrets)]
    left_out = len(seen) - MOST_CONTAINERS
    if left_out > 0:
        items.append(_item("note", "containers left out", f"{left_out} more containers are not in this evidence", ()))
    return [*items, *_gone(removed, secrets)]


def _is_failing(instance: Instance, crashed: set[str]) -> bool:
    return (
        instance.name in crashed
        or instance.ended_abnormally
        or instance.health == "unhealthy"
        or instance.state in {"restarting", "dead"}
    )


def _logs(client: APIClient, container: Container, lines: int, secrets: Iterable[str]) -> EvidenceItem:
    """The end of a container's log. Runs before a restart are in it; `docker rm` takes it away."""
    kept, cut = bytearray(), False
    try:
        stream = client.logs(container.id, stream=True, follow=False, timestamps=True, tail=lines)
        with contextlib.closing(stream):
            for chunk in stream:
                kept += chunk
                if len(kept) > 2 * LIMIT:
                    cut = True
                    del kept[:-LIMIT]
    except (DockerException, requests.RequestException, OSError) as error:
        if not kept:
            why = f"the log of {container.name} could not be read: {error}"
            return _item("note", f"{container.name} log", why, secrets)
        kept += f"\n(the log could not be read to its end: {error})\n".encode()
    return _item("logs", container.name, kept.decode("utf-8", errors="replace"), secrets, cut=cut)


def _state(container: Container, secrets: Iterable[str]) -> EvidenceItem:
    """What `inspect` says that helps, with the names of the variables but none of their values."""
    told = container.config
    config, host = told.get("Config") or {}, told.get("HostConfig") or {}
    shown = {
        "Id": container.id,
        "Name": container.name,
        "Created": told.get("Created"),
        "Image": container.image,
        "ImageName": container.image_name,
        "ConfigHash": container.config_hash,
        "RestartCount": container.restarts,
        "State": told.get("State"),
        "RestartPolicy": host.get("RestartPolicy"),
        "Memory": host.get("Memory"),
        "Entrypoint": config.get("Entrypoint"),
        "Cmd": config.get("Cmd"),
        "EnvironmentNames": sorted(container.environment),
        "Mounts": [
            {key: mount.get(key) for key in ("Type", "Name", "Source", "Destination", "RW")}
            for mount in told.get("Mounts") or ()
        ],
    }
    return _item("state", container.name, json.dumps(shown, indent=1, default=str), secrets)


def _events(seen: Sequence[Seen], removed: Sequence[tuple[str, Life]], secrets: Iterable[str]) -> EvidenceItem:
    """How each container's runs ended, as the engine's events told it."""
    lines = []
    for s in seen:
        c = s.container
        lines.append((c.created, f"{c.name} created from {c.image_name} ({c.image[:19]})"))
        for end in s.ends:
            how = "out of memory" if end.oom_killed else f"exit code {end.exit_code}"
            lines.append((end.at, f"{c.name} ended: {how}" + (", as ordered" if end.ordered(c.stop_signal) else "")))
        if c.started_at is not None:
            lines.append((c.started_at, f"{c.name} started (restarts so far: {c.restarts})"))
    lines += [(life.removed_at, f"{life.name} removed ({key[:12]})") for key, life in removed if life.removed_at]
    text = "\n".join(f"{at.isoformat(timespec='milliseconds')} {what}" for at, what in sorted(lines))
    return _item("events", "containers", text, secrets)


def _gone(removed: Sequence[tuple[str, Life]], secrets: Iterable[str]) -> list[EvidenceItem]:
    names = [
        f"{life.name} ({key[:12]}, removed {life.removed_at:%Y-%m-%d %H:%M:%S} UTC)" for key, life in removed[-10:]
    ]
    if not names:
        return []
    text = f"Docker keeps no log of a removed container; these were removed lately: {', '.join(names)}"
    return [_item("note", "removed containers", text, secrets)]


def _item(
    kind: Literal["logs", "events", "state", "note"], name: str, text: str, secrets: Iterable[str], *, cut: bool = False
) -> EvidenceItem:
    """Masked before it is cut, so that no secret slips through at the cut."""
    raw = mask(text, secrets).encode("utf-8", errors="replace")
    kept = raw[-LIMIT:].decode("utf-8", errors="ignore")
    return EvidenceItem(kind=kind, name=name, text=kept, truncated=cut or len(raw) > LIMIT)
