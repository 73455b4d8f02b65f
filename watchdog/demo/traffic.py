"""Load on the demo's service: a bounded number of requests per second from a few threads, until it is closed."""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from dataclasses import dataclass

RATE = 40.0
"""Requests per second, all threads together. A slow service gets fewer: each thread waits for its answer."""
THREADS = 4
TIMEOUT = 2.0
RECENT = 2.0


@dataclass(frozen=True)
class Felt:
    """What the users felt within the last two seconds."""

    per_second: float
    failed: float
    """The share that was not answered with 200, 0 to 1."""


NOBODY = Felt(0.0, 0.0)


class Traffic:
    """Users of a service on 127.0.0.1. The requests begin with `start`."""

    def __init__(self, port: int, rate: float = RATE, threads: int = THREADS) -> None:
        self._port = port
        self._pause = threads / rate
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, bool]] = deque(maxlen=1000)
        self._threads = [threading.Thread(target=self._run, name=f"user {n}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End, once the requests under way are answered or out of time."""
        self._ended.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(TIMEOUT * 2)

    def felt(self) -> Felt:
        """How it goes for the users."""
        since = time.monotonic() - RECENT
        with self._lock:
            recent = [ok for at, ok in self._recent if at >= since]
        return Felt(len(recent) / RECENT, 1 - sum(recent) / len(recent) if recent else 0.0)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            ok = self._ask()
            with self._lock:
                self._recent.append((time.monotonic(), ok))
            due = max(due + self._pause, time.monotonic() - self._pause)  # what was missed is not made up for

    def _ask(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return False
        else:
            return response.status == 200
        finally:
            connection.close()
