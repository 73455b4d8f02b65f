"""The live service: an HTTP server whose requests take their time and sometimes fail, with /healthz and /metrics.

    python -m tests.real.live.service --port N --release good --container NAME --seed N --guardian PID

Standard library only. It measures itself as real services do, by the wall clock. It ends at once on SIGTERM, and by
itself when its guardian (the process that runs the tests) is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import time
from bisect import bisect_left
from pathlib import Path

from tests.real.live.behaviour import BEHAVIOURS, BUCKETS, IN_FLIGHT, MEMORY_LIMIT, Behaviour

PAGE = os.sysconf("SC_PAGE_SIZE")


class Metrics:
    """What the page says: the process' own counters, and what cAdvisor would say of its container."""

    def __init__(self, container: str) -> None:
        self._container = f'name="{container}",id="/docker/{os.getpid()}"'
        self._started = time.time()
        self._codes = {200: 0, 500: 0}
        self._within = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, code: int, seconds: float) -> None:
        self._codes[code] += 1
        self._sum += seconds
        self._within[bisect_left(BUCKETS, seconds)] += 1

    def text(self) -> str:
        name, so_far = "http_request_duration_seconds", 0
        lines = ["# TYPE http_requests_total counter"]
        lines += [f'http_requests_total{{code="{code}"}} {count}' for code, count in self._codes.items()]
        lines += [f"# TYPE {name} histogram"]
        for edge, count in zip([*map(str, BUCKETS), "+Inf"], self._within, strict=True):
            so_far += count
            lines += [f'{name}_bucket{{le="{edge}"}} {so_far}']
        resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE
        lines += [
            f"{name}_sum {self._sum}",
            f"{name}_count {so_far}",
            f"process_resident_memory_bytes {resident}",
            f"process_cpu_seconds_total {time.process_time()}",
            f"container_memory_working_set_bytes{{{self._container}}} {resident}",
            f"container_spec_memory_limit_bytes{{{self._container}}} {MEMORY_LIMIT}",
            f"container_start_time_seconds{{{self._container}}} {self._started}",
        ]
        return "\n".join(lines) + "\n"


class Service:
    """Answers /, /healthz and /metrics on kept-alive connections."""

    def __init__(self, behaviour: Behaviour, metrics: Metrics, chance: random.Random) -> None:
        self._behaviour, self._metrics, self._chance = behaviour, metrics, chance
        self._leaked: list[bytes] = []

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1]
                code, body = (200, self._metrics.text()) if path == b"/metrics" else (200, "ok\n")
                if path == b"/":
                    code = await self._work()
                    body = "ok\n" if code == 200 else "failed\n"
                kind = "Content-Type: text/plain; version=0.0.4; charset=utf-8"
                answer = f"HTTP/1.1 {code} Answer\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                writer.write(answer.encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _work(self) -> int:
        """What one request asks for; it is counted when it is done."""
        began = time.perf_counter()
        held = b"x" * IN_FLIGHT
        await asyncio.sleep(self._behaviour.seconds(self._chance))
        code = 500 if self._behaviour.fails(self._chance) else 200
        if self._behaviour.leak:
            self._leaked.append(held[: self._behaviour.leak])
        self._metrics.observe(code, time.perf_counter() - began)
        return code


async def end_with(guardian: int) -> None:
    """End when that process is gone."""
    while True:
        try:
            os.kill(guardian, 0)
        except ProcessLookupError:
            os._exit(0)
        await asyncio.sleep(1)


async def serve(given: argparse.Namespace) -> None:
    service = Service(BEHAVIOURS[given.release], Metrics(given.container), random.Random(given.seed))
    server = await asyncio.start_server(service.connection, "127.0.0.1", given.port)
    print(f"{given.release}: serves on 127.0.0.1:{given.port}", flush=True)
    async with server:
        await end_with(given.guardian)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--release", choices=BEHAVIOURS, required=True)
    parser.add_argument("--container", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--guardian", type=int, required=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
