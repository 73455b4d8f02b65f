"""A small HTTP server that answers as an API server does at its worst: expired, throttled, cut off. What a healthy one
does is tried on a real cluster."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.waiting import within

Query = dict[str, str]


class Answer:
    """What an answer is made with."""

    def __init__(self, handler: BaseHTTPRequestHandler, ended: threading.Event) -> None:
        self._handler, self._ended = handler, ended

    def json(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self._handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(text), **(headers or {})}.items():
            self._handler.send_header(name, str(value))
        self._handler.end_headers()
        self._handler.wfile.write(text)

    def status(self, code: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.json({"kind": "Status", "code": code, "message": message}, code, headers)

    def begin(self) -> None:
        """Of a watch."""
        self._handler.send_response(200)
        self._handler.send_header("Content-Type", "application/json")
        self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.end_headers()

    def change(self, kind: str, thing: Any) -> None:
        line = json.dumps({"type": kind, "object": thing}).encode() + b"\n"
        self._handler.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self._handler.wfile.flush()

    def end(self) -> None:
        """As the API server ends a watch."""
        self._handler.wfile.write(b"0\r\n\r\n")

    def drop(self) -> None:
        """As a network does."""
        self._handler.close_connection = True

    def stay(self) -> None:
        """Say nothing more until the test is over."""
        self._ended.wait(within(30))
        self._handler.close_connection = True


class ScriptedApi:
    """`script` answers each request: `script(number, query, answer)`, with numbers from 1."""

    def __init__(self, script: Callable[[int, Query, Answer], None], folder: Path) -> None:
        self.queries: list[Query] = []
        self.headers: list[dict[str, str]] = []
        """With names in lower case."""
        self._script, self._lock, self._ended = script, threading.Lock(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.kubeconfig = folder / "config"
        url = f"http://127.0.0.1:{self._server.server_port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "t0ken"}}],
        }
        self.kubeconfig.write_text(json.dumps(config))

    @contextlib.contextmanager
    def running(self) -> Iterator[ScriptedApi]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join(within(5))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
                with api._lock:
                    api.queries.append(query)
                    api.headers.append({name.lower(): value for name, value in self.headers.items()})
                    number = len(api.queries)
                with contextlib.suppress(OSError):
                    api._script(number, query, Answer(self, api._ended))

            def log_message(self, *_: object) -> None:
                pass

        return Handler
