"""One HTTP request: no retry, no redirect, no proxy, a time limit for the whole answer and a limit on its size.

The sources and the HTTP probe share it, so that slow drips, endless pages, resets and nonsense are met in one place.
What goes wrong is NoAnswer, in words without credentials; `ours` says whether the trouble is on this side.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from watchdog.errors import Unavailable
from watchdog.model.base import format_duration
from watchdog.model.masking import mask
from watchdog.observe.deadline import OutOfTime, within
from watchdog.observe.trouble import trouble

_CHUNK = 65536


class NoAnswer(Unavailable):
    """There was no whole answer; the message says why, in a few words (`connection refused`)."""

    def __init__(self, reason: str, *, ours: bool = False) -> None:
        super().__init__(reason)
        self.ours = ours
        """The request could not be made at all: a bad URL, no name server, no free socket."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, or its first `limit` bytes."""

    status: int
    headers: CaseInsensitiveDict[str]
    body: bytes
    cut: bool
    """There was more than `limit`."""
    framed: bool
    """The server said how long the body is, so that it is known to be whole."""
    took: timedelta

    @property
    def content_type(self) -> str:
        """In lower case, without parameters."""
        return self.headers.get("Content-Type", "").split(";")[0].strip().lower()


def fetch(
    url: str,
    *,
    timeout: timedelta,
    limit: int,
    method: str = "GET",
    params: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    verify: bool = True,
) -> Answer:
    """Ask once and read the answer, at most `limit` bytes (after decompression). Raises NoAnswer."""
    began = time.monotonic()
    connections = _Connections()

    def ask() -> Answer:
        _current.set(connections)
        # A proxy or .netrc of the environment would ask someone else, or as someone else, than the config says.
        with requests.Session() as session:
            session.trust_env = False
            session.verify = _certificates() if verify else False
            for scheme in ("http://", "https://"):
                session.mount(scheme, _Adapter(max_retries=0))
            with session.request(
                method,
                url,
                params=params,
                data=data,
                headers={"Accept-Encoding": "identity", "Connection": "close", **(headers or {})},
                auth=auth,
                timeout=timeout.total_seconds(),
                allow_redirects=False,
                stream=True,
            ) as response:
                body, cut = _read(response, limit)
                framed = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
                took = timedelta(seconds=time.monotonic() - began)
                return Answer(response.status_code, response.headers, body, cut, framed, took)

    try:
        return within(timeout, ask, connections.abort)
    except OutOfTime as error:
        raise NoAnswer(f"no whole answer within {format_duration(timeout)}") from error
    except (requests.RequestException, HTTPError, OSError, ValueError, RuntimeError) as error:
        # ValueError: what urllib3 and http.client raise for hosts and headers they can't send. RuntimeError: no thread.
        found = trouble(error, timeout)
        raise NoAnswer(found.reason, ours=found.ours) from error
    finally:
        connections.close()


def shown(url: str) -> str:
    """The URL as it may be shown and stored: without user, password and secret-looking parameters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return mask(url, ())
    # One by one: to `mask` a whole URL is the value of something called `http`.
    query = "&".join(mask(parameter, ()) for parameter in parts.query.split("&"))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def _read(response: requests.Response, limit: int) -> tuple[bytes, bool]:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False


def _certificates() -> str | bool:
    """The machine's own authorities where the usual variables name them; else those of certifi."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True


class _Connections:
    """The sockets of one request, to be shut down from outside while a thread waits on them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._over = False

    def add(self, sock: socket.socket) -> None:
        with self._lock:
            if self._over:
                raise ConnectionAbortedError("the time is up")
            # A duplicate: shutting it down ends the connection, and nobody else can close it under us.
            self._sockets.append(socket.socket(fileno=os.dup(sock.fileno())))

    def abort(self) -> None:
        with self._lock:
            self._over = True
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            self._over = True
            for sock in self._sockets:
                sock.close()


_current: ContextVar[_Connections] = ContextVar("connections")


class _Http(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _current.get().add(self.sock)


class _Https(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _current.get().add(self.sock)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
