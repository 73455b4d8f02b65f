"""Runs the app on a thread of its own, with a start that says at once when it cannot, and an end that comes."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp

from watchdog.errors import BadConfig, Unavailable

log = logging.getLogger(__name__)

START_SECONDS = 10.0
STOP_SECONDS = 5


class Server:
    """One listening address."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                limit_concurrency=100,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )

    @property
    def port(self) -> int:
        """The port it listens on: useful when 0 was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:9099`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen, and return when requests are served. Raises BadConfig when the address can't be had, Unavailable
        when the server did not come up in time."""
        self._socket = _listen(self._host, self._port)
        self._port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        if not self._server.started:
            self.stop()
            raise Unavailable(f"the HTTP server on {self._host}:{self._port} did not start; see the log")
        log.info("listening on %s", self.url)

    def stop(self) -> None:
        """End it: requests under way get some seconds. Safe to call twice, or without start."""
        self._server.should_exit = True
        if self._thread:
            self._thread.join(STOP_SECONDS + 5)
            if self._thread.is_alive():
                log.error("the HTTP server did not stop within %s s", STOP_SECONDS + 5)
            self._thread = None
        if self._socket:
            with contextlib.suppress(OSError):  # uvicorn has closed it already
                self._socket.close()

    def _run(self) -> None:
        assert self._socket
        self._server.run(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadConfig(
            f"http.listen: cannot listen on {host}:{port}: {reason}; choose another port, or stop what uses it"
        ) from error
    return listening
