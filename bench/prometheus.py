"""A Prometheus in name only: answers every instant query with one series of value 1, so that asking costs what it costs
and answering costs the watchdog nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        sample = {"metric": {"job": "bench"}, "value": [time.time(), "1"]}
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [sample]}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name it has there
        """Nothing is logged."""


@contextmanager
def serving() -> Iterator[str]:
    """Its address, while it serves: in a process of its own, so that it takes no time from whoever measures."""
    process = subprocess.Popen([sys.executable, "-m", "bench.prometheus"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the Prometheus of the bench did not start")
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=10)


def main() -> None:
    """Serve until ended."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
