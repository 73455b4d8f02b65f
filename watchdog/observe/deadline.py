"""A time limit for the whole of something that blocks: name look-up, connecting, and an answer that comes in drips.

Socket time-outs only limit each wait between two bytes. Here the work is done in a thread of its own; when the time
is up the caller goes on at once, and `abort` is called so that the thread ends soon after.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class OutOfTime(Exception):
    """The time was up before the work was done."""


class _Work(Generic[T]):
    """One call in its thread, and what came of it."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._done = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread, and raised there
            self._error = error
        finally:
            self._done.set()

    def result(self, timeout: timedelta) -> T:
        if not self._done.wait(timeout.total_seconds()):
            raise OutOfTime
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]


def within(timeout: timedelta, call: Callable[[], T], abort: Callable[[], None] = lambda: None) -> T:
    """What `call` returns or raises, or OutOfTime at the time limit; then `abort` is called, and must not block.

    Raises RuntimeError when no thread can be started.
    """
    work = _Work(call)
    threading.Thread(target=work.run, name="within", daemon=True).start()
    try:
        return work.result(timeout)
    except OutOfTime:
        abort()
        raise
