"""Listens to Docker engines, and remembers of each container how its runs ended and whether somebody ordered that.

`Ledger` is a pure fold over events, so it can be fed literal ones. The engine keeps only its last 256 events and none
over its own restart: what is missing here is made up for by the containers' states (compose_instances).
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from docker import APIClient
from docker.errors import DockerException

from watchdog.compose.engine import ONE_OFF, PROJECT, SERVICE, connect
from watchdog.errors import Unavailable

log = logging.getLogger(__name__)

KINDS = ("create", "start", "die", "kill", "oom", "stop", "destroy", "health_status", "rename", "pause", "unpause")
FILTERS = {"type": ["container"], "event": list(KINDS), "label": [PROJECT]}
BEGINNING = 1
"""`since` for all the engine still has; 0 would mean nothing of the past."""

KEPT_ENDS = 50  # per container: a crash loop of hours needs no more to be one
KEPT_CONTAINERS = 5_000
KEPT_REMOVED = 200
ORDER_HOLDS = timedelta(minutes=10)  # between the signal and the end; longer than any sensible grace period
_STOPPING = frozenset({signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGQUIT})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0  # seconds between attempts to reach an engine


@dataclass(frozen=True)
class End:
    """One end of one run of a container."""

    at: datetime
    exit_code: int | None
    oom_killed: bool = False
    signal: int | None = None
    """The latest signal somebody sent it in this run, if that was shortly before."""

    def ordered(self, stop_signal: str) -> bool:
        """Whether somebody ordered it: a stop, restart, kill, scale-down or replacement, but not a reload (HUP)."""
        return stops(self.signal, stop_signal)


@dataclass
class Life:
    """What is known of one container."""

    project: str
    service: str
    name: str
    ends: deque[End] = field(default_factory=lambda: deque(maxlen=KEPT_ENDS))
    stopped: bool = False
    """Somebody stopped it, and nobody started it again."""
    removed_at: datetime | None = None
    sent: tuple[int, datetime] | None = None
    """The latest signal of this run, and when."""
    oom: bool = False


class Ledger:
    """The lives of containers, by id. Safe to use from several threads; bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lives: OrderedDict[str, Life] = OrderedDict()
        self._removed: deque[tuple[str, Life]] = deque(maxlen=KEPT_REMOVED)
        self._seen: OrderedDict[tuple[int, str, str], None] = OrderedDict()

    def note(self, event: Mapping[str, Any]) -> str | None:
        """Fold one event in. Returns the project it is about; None for one seen before or of no container."""
        attributes = (event.get("Actor") or {}).get("Attributes") or {}
        container, project = str((event.get("Actor") or {}).get("ID", "")), attributes.get(PROJECT)
        if event.get("Type") != "container" or not container or not project or attributes.get(ONE_OFF) == "True":
            return None
        nano, action = int(event.get("timeNano") or 0), str(event.get("Action", ""))
        with self._lock:
            if (nano, container, action) in self._seen:
                return None
            self._seen[nano, container, action] = None
            _trim(self._seen, 2_000)
            name = str(attributes.get("name", ""))
            life = self._lives.setdefault(container, Life(project, str(attributes.get(SERVICE, "")), name))
            _apply(life, action.partition(":")[0], attributes, _time(nano))
            if life.removed_at is not None:
                self._removed.append((container, self._lives.pop(container)))
            _trim(self._lives, KEPT_CONTAINERS)
        return str(project)

    def life(self, container: str) -> tuple[tuple[End, ...], bool, int | None]:
        """How this container's runs ended, oldest first; whether somebody stopped it for good; and the latest signal
        it was sent since it was started."""
        with self._lock:
            life = self._lives.get(container)
            return (tuple(life.ends), life.stopped, life.sent[0] if life.sent else None) if life else ((), False, None)

    def removed(self, project: str) -> list[tuple[str, Life]]:
        """The project's containers that were seen to be removed: id and life, oldest first."""
        with self._lock:
            return [(container, life) for container, life in self._removed if life.project == project]


def _apply(life: Life, action: str, attributes: Mapping[str, str], at: datetime) -> None:
    if action == "start":
        life.stopped, life.sent, life.oom = False, None, False
    elif action == "kill":
        life.sent = (_number(attributes.get("signal", "")), at)
    elif action == "oom":
        life.oom = True
    elif action == "die":
        sent = life.sent
        recent = sent[0] if sent is not None and at - sent[1] <= ORDER_HOLDS else None
        code = attributes.get("exitCode", "")
        life.ends.append(End(at, int(code) if code.isdigit() else None, life.oom, recent))
    elif action == "stop":
        life.stopped = True
    elif action == "destroy":
        life.removed_at = at


def stops(sent: int | None, stop_signal: str) -> bool:
    """Whether this signal is sent to end a container whose image names that stop signal."""
    return sent is not None and (sent in _STOPPING or sent == _number(stop_signal))


def _number(text: str) -> int:
    """A signal as the engine writes it (`15`) or as an image does (`SIGTERM`, `TERM`); 0 when it is neither."""
    if text.isdigit():
        return int(text)
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    return int(getattr(signal.Signals, name, 0))


def _time(nano: int) -> datetime:
    return datetime.fromtimestamp(nano // 1_000_000_000, UTC) + timedelta(microseconds=nano % 1_000_000_000 // 1_000)


def _trim(entries: OrderedDict[Any, Any], limit: int) -> None:
    while len(entries) > limit:
        entries.popitem(last=False)


def replay(client: APIClient, ledger: Ledger, until: datetime) -> None:
    """Fold in what the engine still remembers, for a caller that does not listen. Bounded by the engine's 256 events.

    Raises what the SDK raises.
    """
    stream = client.events(since=BEGINNING, until=int(until.timestamp()), filters=FILTERS, decode=True)
    with contextlib.closing(stream):
        for event in stream:
            ledger.note(event)


class Listener:
    """One thread that reads one engine's events, from `start` to `stop`, however often the engine goes away."""

    def __init__(self, host: str, targets: Mapping[str, Sequence[str]], wake: Callable[[str], None]) -> None:
        """`targets`: project → names of the targets to wake."""
        self.host = host
        self.ledger = Ledger()
        self.connected = False
        self._targets, self._wake = targets, wake
        self._stopping = threading.Event()
        self._stream: Any = None
        self._since = BEGINNING
        self._thread = threading.Thread(target=self._run, name=f"docker-events {host}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Returns once it ended, or after two seconds."""
        self._stopping.set()
        self._close()
        self._thread.join(2)

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(DockerException, OSError, AttributeError, ValueError):
                stream.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self._listen()
                pause = _FIRST_PAUSE
            except (Unavailable, DockerException, requests.RequestException, OSError, ValueError) as error:
                if self.connected or pause == _FIRST_PAUSE:
                    log.warning("lost the events of the Docker engine at %s, trying again: %s", self.host, error)
                pause = _FIRST_PAUSE if self.connected else min(2 * pause, _LONGEST_PAUSE)
            finally:
                self.connected = False
                self._close()
            self._stopping.wait(pause)

    def _listen(self) -> None:
        """Read events until the engine ends the stream or `stop` does."""
        with contextlib.closing(connect(self.host)) as client:
            self._stream = client.events(since=self._since, filters=FILTERS, decode=True)
            if self._stopping.is_set():
                return
            self.connected = True
            # Whatever was missed while nobody listened shows in the next snapshot.
            for names in self._targets.values():
                self._tell(names)
            for event in self._stream:
                self._since = int(event["time"])  # whole seconds: what comes twice is known by the ledger
                project = self.ledger.note(event)
                if project is not None:
                    self._tell(self._targets.get(project, ()))

    def _tell(self, names: Sequence[str]) -> None:
        for name in names:
            self._wake(name)
