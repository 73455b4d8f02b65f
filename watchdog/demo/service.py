"""The demo's service: a small HTTP server with /healthz and /metrics, good or bad by its version.

Standard library only, and in one file: the compose platform runs it in any image that has Python 3. Its fault shows a
moment after it started, as most faults do. It ends at once on SIGTERM, and by itself when its parent is gone.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import signal
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

FAULTS = ("none", "latency", "errors", "crash", "memory", "cpu", "health")
SHOWS_AFTER = 1.5
"""Seconds from the start to the first sign of a fault."""
CRASHES_AFTER = 0.6
SLOWER_BY = 0.4
"""Seconds that the latency fault adds to each request."""
MEMORY_STEP, MEMORY_MOST = 1 << 20, 300 << 20
"""Bytes that the memory fault takes every 0.1 s, and in all."""
BURNS_FOR = 300.0
"""Seconds of a whole core that the cpu fault takes."""
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counters in Prometheus' text format."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes = {200: 0, 500: 0}
        self._buckets = [0] * len(BUCKETS)
        self._sum = 0.0

    def observe(self, code: int, seconds: float) -> None:
        """Count one request."""
        with self._lock:
            self._codes[code] += 1
            self._sum += seconds
            for i, bound in enumerate(BUCKETS):
                self._buckets[i] += seconds <= bound

    def text(self) -> str:
        """The page."""
        name = "http_request_duration_seconds"
        with self._lock:
            total = sum(self._codes.values())
            lines = ["# TYPE http_requests_total counter"]
            lines += [f'http_requests_total{{code="{code}"}} {count}' for code, count in self._codes.items()]
            lines += [f"# TYPE {name} histogram"]
            lines += [f'{name}_bucket{{le="{b}"}} {n}' for b, n in zip(BUCKETS, self._buckets, strict=True)]
            lines += [f'{name}_bucket{{le="+Inf"}} {total}', f"{name}_sum {self._sum}", f"{name}_count {total}"]
        lines += ["# TYPE process_resident_memory_bytes gauge", f"process_resident_memory_bytes {resident_bytes()}"]
        lines += ["# TYPE process_cpu_seconds_total counter", f"process_cpu_seconds_total {time.process_time()}"]
        return "\n".join(lines) + "\n"


def resident_bytes() -> int:
    """The memory this process holds now; where there is no /proc, the most it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource  # noqa: PLC0415 -- not needed on Linux

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


class Behaviour:
    """What this version does wrong, and since when."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._began = time.monotonic()
        self._requests = itertools.count(1)
        self._said_at = 0.0
        self._held: list[bytes] = []
        hidden = {"crash": self._crash, "memory": self._take_memory, "cpu": self._burn}.get(fault)
        if hidden is not None:
            threading.Thread(target=hidden, name=fault, daemon=True).start()

    def shows(self, fault: str) -> bool:
        """Whether this fault can be seen now."""
        return fault == self._fault and time.monotonic() - self._began >= SHOWS_AFTER

    def work(self) -> int:
        """Do what one request asks for; the answer's status."""
        time.sleep(random.uniform(0.003, 0.012))  # noqa: S311 -- stands for a database
        if self.shows("latency"):
            time.sleep(SLOWER_BY)
            self.say(f"WARN slow query: {SLOWER_BY:.2f} s, no index on orders.customer")
        if self.shows("errors") and next(self._requests) % 3 == 0:
            self.say("ERROR GET / 500: column orders.discount does not exist")
            return 500
        return 200

    def healthy(self) -> bool:
        """What /healthz answers."""
        if self.shows("health"):
            self.say("WARN /healthz 503: no free connection in the database pool")
            return False
        return True

    def say(self, line: str) -> None:
        """Log a line; at most two each second, so that the log stays readable."""
        now = time.monotonic()
        if now - self._said_at >= 0.5:
            self._said_at = now
            log(line)

    def _crash(self) -> None:
        time.sleep(CRASHES_AFTER)
        log("FATAL cannot read the setting PAYMENT_URL: it is not set; exiting")
        os._exit(3)

    def _take_memory(self) -> None:
        time.sleep(SHOWS_AFTER)
        for _ in range(MEMORY_MOST // MEMORY_STEP):
            self._held.append(b"x" * MEMORY_STEP)
            self.say(f"INFO cache: {len(self._held) * MEMORY_STEP >> 20} MiB, nothing evicted")
            time.sleep(0.1)

    def _burn(self) -> None:
        time.sleep(SHOWS_AFTER)
        block = b"x" * (4 << 20)  # long enough that requests are answered beside it: hashing lets other threads run
        until = time.monotonic() + BURNS_FOR
        while time.monotonic() < until:
            hashlib.sha256(block).digest()
            self.say("INFO search index: rebuilding")


class Handler(BaseHTTPRequestHandler):
    """Answers /, /healthz and /metrics."""

    version: ClassVar[str]
    metrics: ClassVar[Metrics]
    behaviour: ClassVar[Behaviour]

    def do_GET(self) -> None:
        """Answer."""
        began = time.perf_counter()
        if self.path == "/":
            code = self.behaviour.work()
            self._answer(code, {"version": self.version, "ok": code == 200})
            self.metrics.observe(code, time.perf_counter() - began)
        elif self.path == "/healthz":
            healthy = self.behaviour.healthy()
            self._answer(200 if healthy else 503, {"version": self.version, "healthy": healthy})
        elif self.path == "/metrics":
            self._send(200, self.metrics.text(), "text/plain; version=0.0.4; charset=utf-8")
        else:
            self._answer(404, {"error": "not found"})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class' name
        """No access log."""

    def _answer(self, code: int, body: dict[str, object]) -> None:
        self._send(code, json.dumps(body) + "\n", "application/json")

    def _send(self, code: int, text: str, content_type: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind, without the base class' question to the name server, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def log(line: str) -> None:
    """One line on standard output."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


def end_with(parent: int) -> None:
    """End when the process that started this one is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", default=os.environ.get("API_VERSION", "v1"))
    parser.add_argument("--fault", choices=FAULTS, default=os.environ.get("FAULT", "none"))
    parser.add_argument("--parent", type=int, help="the process to end with")
    parser.add_argument("--lifetime", type=float, help="seconds after which it ends by itself")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    if given.parent is not None:
        end_with(given.parent)
    if given.lifetime is not None:
        threading.Timer(given.lifetime, os._exit, (0,)).start()
    server = Server((given.host, given.port), Handler)
    Handler.version, Handler.metrics, Handler.behaviour = given.version, Metrics(), Behaviour(given.fault)
    log(f"INFO {given.version} serves on {given.host}:{given.port}")
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
