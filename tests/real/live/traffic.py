"""Users of the live services: real requests over HTTP that arrive at random and do not wait for each other."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Mapping

GIVES_UP = 30.0
"""Seconds that a user waits for an answer."""
_REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Traffic:
    """A thread with an event loop. `rates`: port → requests a second (Poisson)."""

    def __init__(self, rates: Mapping[int, float], seed: int = 11) -> None:
        self._rates, self._seed = rates, seed
        self.answered = dict.fromkeys(rates, 0)
        self.refused = dict.fromkeys(rates, 0)
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(2 * GIVES_UP)
        if not self._thread.is_alive():
            self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._all())

    async def _all(self) -> None:
        arriving = [
            asyncio.create_task(self._users(port, rate, random.Random(f"{self._seed}/{number}")))
            for number, (port, rate) in enumerate(self._rates.items())
        ]
        await self._ended.wait()
        for task in arriving:
            task.cancel()
        await asyncio.gather(*arriving, return_exceptions=True)

    async def _users(self, port: int, rate: float, chance: random.Random) -> None:
        """Open: a slow service gets no fewer requests."""
        idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        asking: set[asyncio.Task[None]] = set()
        due = self._loop.time()
        try:
            while True:
                due = max(due + chance.expovariate(rate), self._loop.time() - 1)
                await asyncio.sleep(due - self._loop.time())
                task = asyncio.create_task(self._ask(port, idle))
                asking.add(task)
                task.add_done_callback(asking.discard)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            for _, writer in idle:
                writer.close()

    async def _ask(self, port: int, idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        writer = None
        try:
            async with asyncio.timeout(GIVES_UP):
                reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
                writer.write(_REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            self.answered[port] += 1
            idle.append((reader, writer))
            writer = None
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.refused[port] += 1
        finally:
            if writer is not None:
                with contextlib.suppress(OSError):
                    writer.close()
