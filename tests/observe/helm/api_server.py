"""The part of an API server that a list and a watch of releases need, which misbehaves when it is told to."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.waiting import within

Release = dict[str, Any]


def release(name: str, version: int = 1, status: str = "deployed", namespace: str = "shop", **labels: str) -> Release:
    """A release Secret's metadata, as the API server sends it."""
    return {
        "kind": "PartialObjectMetadata",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{version}",
            "namespace": namespace,
            "uid": f"{version:08d}-{name}",
            "resourceVersion": "5",
            "creationTimestamp": "2026-11-25T12:00:00Z",
            "labels": {"owner": "helm", "name": name, "version": str(version), "status": status, **labels},
        },
    }


def refusal(code: int, message: str) -> dict[str, Any]:
    """A Status object, as an answer or as an event of a watch."""
    return {"kind": "Status", "status": "Failure", "code": code, "message": message}


class Api:
    """What a test tells the server, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.releases: list[Release] = []
        self.pages_of = 500
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.answers: queue.Queue[tuple[str, int, dict[str, str], object]] = queue.Queue()
        """Answers to give instead of the right ones: to a `list` or a `watch`, status, headers, body."""
        self.ends_at_once = False
        self._events: queue.Queue[object] = queue.Queue()
        self.over = threading.Event()

    def refuses(self, what: str, code: int, message: str = "told so by the test", **headers: str) -> None:
        """The next list or watch gets this."""
        self.answers.put((what, code, headers, refusal(code, message)))

    def says(self, kind: str, thing: object) -> None:
        """An event for the watch that is open."""
        self._events.put({"type": kind, "object": thing})

    def drops(self) -> None:
        """The open watch loses its connection in the middle of a line."""
        self._events.put(None)

    def of(self, what: str) -> list[dict[str, str]]:
        """The queries of all lists, or all watches."""
        return [query for _, kind, query in list(self.asked) if kind == what]

    def events(self) -> Iterator[object]:
        """Those of one watch, until the test is over."""
        while not self.over.is_set():
            with suppress(queue.Empty):
                yield self._events.get(timeout=0.02)

    def kubeconfig(self, directory: Path) -> str:
        """A file that leads here."""
        where = directory / "kubeconfig"
        named = {"clusters": [{"name": "c", "cluster": {"server": self.url}}], "users": [{"name": "u", "user": {}}]}
        contexts = [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
        where.write_text(json.dumps({**named, "contexts": contexts, "current-context": "x"}))
        return str(where)


@contextmanager
def serving() -> Iterator[Api]:
    """A server on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            what = "watch" if "watch" in query else "list"
            api.asked.append((time.monotonic(), what, query))
            with suppress(queue.Empty):
                if api.answers.queue and api.answers.queue[0][0] == what:
                    _, code, headers, body = api.answers.get_nowait()
                    return self.send(code, headers, body)
            return self.stream() if what == "watch" else self.page(query)

        def page(self, query: dict[str, str]) -> None:
            first = int(query.get("continue", "0"))
            after = first + api.pages_of
            metadata = {"resourceVersion": "10"} | ({"continue": str(after)} if after < len(api.releases) else {})
            self.send(200, {}, {"metadata": metadata, "items": api.releases[first:after]})

        def send(self, code: int, headers: dict[str, str], body: object) -> None:
            raw = json.dumps(body).encode()
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(raw)

        def stream(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in () if api.ends_at_once else api.events():
                if event is None:
                    self.wfile.write(b'10\r\n{"type":"ADD')
                    self.close_connection = True
                    return
                raw = json.dumps(event).encode() + b"\n"
                self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api = Api(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.over.set()
        server.shutdown()
        thread.join(within(5))
        server.server_close()
