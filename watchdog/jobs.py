"""Where waiting is done, so that the engine never waits: one slow source delays nothing but its own answer.

The engine submits a call under a key, and on a later tick takes the result. `Inline` runs it at once, in the caller's
thread: that makes tests exact. `Pool` runs it in a few threads.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol


class Jobs(Protocol):
    """Calls under way, by key."""

    def submit(self, key: Hashable, call: Callable[[], Any]) -> None:
        """Begin the call. A key that is pending or not yet taken may not be submitted again."""
        ...

    def pending(self, key: Hashable) -> bool:
        """Whether the call has begun and its result was not taken yet."""
        ...

    def take(self, key: Hashable) -> Future[Any] | None:
        """The finished call, once; None while it runs, or when there is none."""
        ...

    def forget(self, key: Hashable) -> None:
        """Let the call end unheard."""
        ...


class Inline:
    """Runs each call at once."""

    def __init__(self) -> None:
        self._done: dict[Hashable, Future[Any]] = {}

    def submit(self, key: Hashable, call: Callable[[], Any]) -> None:
        """Run the call now; its result waits to be taken."""
        if key in self._done:
            raise RuntimeError(f"job {key} was submitted twice")
        future: Future[Any] = Future()
        self._done[key] = future
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - kept whole in the future; whoever takes it sees it
            future.set_exception(error)

    def pending(self, key: Hashable) -> bool:
        """Whether a result waits."""
        return key in self._done

    def take(self, key: Hashable) -> Future[Any] | None:
        """The result."""
        return self._done.pop(key, None)

    def forget(self, key: Hashable) -> None:
        """Drop the result."""
        self._done.pop(key, None)


class Pool:
    """Runs calls in threads, and says when one is done."""

    def __init__(self, threads: int, on_done: Callable[[], None]) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="watchdog-job")
        self._on_done = on_done
        self._futures: dict[Hashable, Future[Any]] = {}

    def submit(self, key: Hashable, call: Callable[[], Any]) -> None:
        """Queue the call."""
        if key in self._futures:
            raise RuntimeError(f"job {key} was submitted twice")
        future = self._executor.submit(call)
        self._futures[key] = future
        future.add_done_callback(lambda _: self._on_done())

    def pending(self, key: Hashable) -> bool:
        """Whether the call was submitted and not taken."""
        return key in self._futures

    def take(self, key: Hashable) -> Future[Any] | None:
        """The finished call, or None."""
        future = self._futures.get(key)
        if future is None or not future.done():
            return None
        return self._futures.pop(key)

    def forget(self, key: Hashable) -> None:
        """Let it run out; its result goes nowhere."""
        future = self._futures.pop(key, None)
        if future is not None:
            future.cancel()

    def close(self) -> None:
        """Begin nothing more and wait for what runs: each call has its own time limit."""
        self._executor.shutdown(wait=True, cancel_futures=True)
