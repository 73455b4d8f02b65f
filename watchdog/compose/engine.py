"""Reads a Docker engine: the containers of a project as values, and which one the watchdog itself runs in.

Every call has a time limit. What the engine does wrong is Unavailable (it does not answer) or Refused (it says no).
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from docker import APIClient
from docker.errors import APIError, DockerException, NotFound
from docker.utils import kwargs_from_env

from watchdog.errors import Refused, Unavailable

TIMEOUT = 10
"""Seconds for one request to the engine."""

LABEL = "com.docker.compose."
PROJECT, SERVICE, HASH = f"{LABEL}project", f"{LABEL}service", f"{LABEL}config-hash"
DEPENDS_ON, NUMBER, ONE_OFF = f"{LABEL}depends_on", f"{LABEL}container-number", f"{LABEL}oneoff"
CONFIG_FILES = f"{LABEL}project.config_files"
REPLACES = f"{LABEL}replace"
ONE_SHOT = "deploy-watchdog.one-shot"
"""A service's own label: `true` says that it runs once and ends, whatever else it looks like."""

DEFAULT_HOST = "unix:///var/run/docker.sock"
_FIRST_VERSION = "1.44"  # only to build a client with; the engine is asked for its own before anything else
_CONTAINER_ID = re.compile(r"[/-]([0-9a-f]{64})\b")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def host_of(docker_host: str | None) -> str:
    """Where the engine is: the target's own word, else DOCKER_HOST, else the default socket."""
    return docker_host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn what the SDK raises into Unavailable or Refused, saying what was being done."""
    try:
        yield
    except APIError as error:
        kind = Unavailable if error.is_server_error() else Refused
        raise kind(f"{doing}: the Docker engine says: {error.explanation or error}") from error
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        raise Unavailable(f"{doing}: {error}") from error


class Engines:
    """Clients by engine and thread: a client must not be shared between threads while it is in use."""

    def __init__(self) -> None:
        self._here = threading.local()
        self._lock = threading.Lock()
        self._all: list[APIClient] = []

    def client(self, docker_host: str | None) -> APIClient:
        """This thread's client of that engine. Raises Unavailable when the engine does not answer."""
        host = host_of(docker_host)
        mine: dict[str, APIClient] = self._here.__dict__.setdefault("clients", {})
        if host in mine:
            with translated(f"cannot reach the Docker engine at {host}"):
                _knock(host)
        else:
            mine[host] = connect(host)
            with self._lock:
                self._all.append(mine[host])
        return mine[host]

    def close(self) -> None:
        """Close every client, of all threads."""
        with self._lock:
            clients, self._all = self._all, []
        self._here = threading.local()
        for client in clients:
            client.close()


def connect(host: str) -> APIClient:
    """A new client that speaks the engine's own version of the API. Raises Unavailable."""
    with translated(f"cannot reach the Docker engine at {host}"):
        _knock(host)
        # With DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, as the docker program reads them.
        place = kwargs_from_env(environment={**os.environ, "DOCKER_HOST": host})
        with contextlib.closing(APIClient(version=_FIRST_VERSION, timeout=TIMEOUT, **place)) as first:
            version = first.version(api_version=False)["ApiVersion"]
        return APIClient(version=version, timeout=TIMEOUT, **place)


def _knock(host: str) -> None:
    """Say early and plainly that nothing listens on the socket: the SDK's own words for it are three errors long, and
    it forgets to close its socket then."""
    path = urlsplit(host).path
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(TIMEOUT)
            sock.connect(path)


@dataclass(frozen=True)
class Container:
    """One container of a project, as the engine described it at one moment."""

    id: str
    name: str
    service: str
    config_hash: str
    image: str
    """Image id."""
    image_name: str
    """The name it was created from; an id when it was created from that."""
    created: datetime
    state: str
    exit_code: int
    oom_killed: bool
    error: str
    """Why the engine could not start it."""
    started_at: datetime | None
    finished_at: datetime | None
    restarts: int
    restart_policy: str
    health: str
    stop_signal: str
    number: str = "1"
    labels: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The whole answer of `inspect`. Holds secrets."""

    @property
    def environment(self) -> dict[str, str]:
        """Its environment variables. May hold secrets."""
        pairs = (self.config.get("Config") or {}).get("Env") or []
        return dict(pair.partition("=")[::2] for pair in pairs)


def containers(client: APIClient, project: str) -> list[Container]:
    """All containers of the project's services, also stopped ones, oldest first; not those of `docker compose run`.

    Raises Unavailable or Refused.
    """
    found = []
    with translated(f"reading the containers of project {project}"):
        listed = client.containers(
            all=True, filters={"label": [f"{PROJECT}={project}", f"{ONE_OFF}=False", HASH], "status": list(_STATES)}
        )
        for entry in listed:
            with contextlib.suppress(NotFound):  # it went away between the two questions
                found.append(parse(client.inspect_container(entry["Id"])))
    return sorted(found, key=lambda c: (c.created, c.id))


_STATES = ("created", "restarting", "running", "paused", "exited", "dead")


def parse(inspected: Mapping[str, Any]) -> Container:
    """The answer of `inspect` as a value."""
    config, state = inspected.get("Config") or {}, inspected.get("State") or {}
    labels = config.get("Labels") or {}
    policy = (inspected.get("HostConfig") or {}).get("RestartPolicy") or {}
    return Container(
        id=inspected["Id"],
        name=str(inspected.get("Name", "")).lstrip("/"),
        service=labels.get(SERVICE, ""),
        config_hash=labels.get(HASH, ""),
        image=inspected.get("Image", ""),
        image_name=config.get("Image", ""),
        created=instant(inspected.get("Created")) or _EPOCH,
        state=state.get("Status", "dead"),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        started_at=instant(state.get("StartedAt")),
        finished_at=instant(state.get("FinishedAt")),
        restarts=int(inspected.get("RestartCount") or 0),
        restart_policy=policy.get("Name") or "no",
        health=(state.get("Health") or {}).get("Status") or "none",
        stop_signal=config.get("StopSignal") or "SIGTERM",
        number=labels.get(NUMBER, "1"),
        labels=labels,
        config=inspected,
    )


def instant(text: str | None) -> datetime | None:
    """The engine's times: RFC 3339 with nanoseconds; the year 1 means never."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", text or "")
    if match is None or match[1].startswith("0001"):
        return None
    whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    return (whole + timedelta(seconds=float(match[2] or 0))).astimezone(UTC)


def own_container() -> str | None:
    """The id of the container this process runs in, or None. WATCHDOG_CONTAINER_ID says it where it can't be seen."""
    told = os.environ.get("WATCHDOG_CONTAINER_ID")
    if told:
        return told
    for path in ("/proc/self/mountinfo", "/proc/self/cgroup"):
        with contextlib.suppress(OSError):
            found = container_id_in(Path(path).read_text(errors="replace"), strict=path.endswith("mountinfo"))
            if found:
                return found
    return socket.gethostname() if Path("/.dockerenv").exists() else None


def container_id_in(text: str, *, strict: bool) -> str | None:
    """A container's id in a text: cgroup, or mountinfo (`strict`: only of the files Docker mounts into each one)."""
    for line in text.splitlines():
        if strict and not re.search(r"/containers/[0-9a-f]{64}/(hostname|hosts|resolv\.conf) ", line):
            continue
        match = _CONTAINER_ID.search(line)
        if match:
            return match[1]
    return None


def service_of(found: Sequence[Container], container_id: str | None) -> str | None:
    """The service the container belongs to, if it is one of these: the watchdog never touches its own."""
    if not container_id or len(container_id) < 12:
        return None
    return next((c.service for c in found if c.id.startswith(container_id)), None)
