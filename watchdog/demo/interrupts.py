"""Ctrl-C as a value: a signal sets an event that every wait of the demo looks at, so that it can clean up in peace."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """While this is open, SIGINT, SIGTERM and SIGHUP only set `stop`. To be used in the main thread."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._came)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def code(self) -> int:
        """The exit code that tells of the signal: 130 for Ctrl-C."""
        return 128 + (self.number or signal.SIGINT)

    def _came(self, number: int, _frame: FrameType | None) -> None:
        self.number = self.number or number
        self.stop.set()
