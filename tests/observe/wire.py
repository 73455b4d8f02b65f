"""A server that answers with exactly these bytes, at this pace: for everything a well-behaved server never does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.waiting import within


def http(body: bytes | str, status: str = "200 OK", kind: str = "text/plain; version=0.0.4", length: int | None = None):
    """A whole HTTP answer as bytes. `length` may lie."""
    body = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body) if length is None else length}\r\n"
    return head.encode() + b"\r\n" + body


class Wire:
    """What a test tells the server, and what the server saw."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self.answer: Callable[[socket.socket], None] = lambda connection: None

    def says(self, data: bytes) -> None:
        """Each connection gets these bytes, then the end."""
        self.answer = lambda connection: connection.sendall(data)

    def drips(self, data: bytes, start: bytes = b"") -> None:
        """`start` at once, then a byte every 50 ms, for ever beginning anew."""

        def drip(connection: socket.socket) -> None:
            connection.sendall(start)
            at = 0
            while not self.over.wait(0.05):
                connection.sendall(data[at % len(data) :][:1])
                at += 1

        self.answer = drip

    def resets(self, data: bytes = b"") -> None:
        """These bytes, then a reset instead of an end."""

        def reset(connection: socket.socket) -> None:
            connection.sendall(data)
            # SO_LINGER with no time: close sends RST.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

        self.answer = reset

    def floods(self, head: bytes, line: bytes, count: int) -> None:
        """`head`, then `count` times `line`."""

        def flood(connection: socket.socket) -> None:
            connection.sendall(head)
            for _ in range(count):
                connection.sendall(line)

        self.answer = flood

    def hangs(self, start: bytes = b"") -> None:
        """Accepts, and says nothing, or nothing more after `start`."""

        def hang(connection: socket.socket) -> None:
            connection.sendall(start)
            self.over.wait(within(60))

        self.answer = hang


@contextmanager
def serving() -> Iterator[Wire]:
    """A server on a free port of 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(within(10))
            wire.requests.append(_request(connection))
            wire.answer(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve, args=(connection,), daemon=True)
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield wire
    finally:
        wire.over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        listener.close()
        for thread in (acceptor, *threads):
            thread.join(within(5))


_TLS_HANDSHAKE = b"\x16"


def _request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request and not request.startswith(_TLS_HANDSHAKE):
        chunk = connection.recv(65536)
        if not chunk:
            break
        request += chunk
    return request


def closed_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
