"""The one place that reads the time. Everything else is given `now` as an argument."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Says what time it is, in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock. It may jump; the engine notices and extends its watches."""

    def now(self) -> datetime:
        return datetime.now(UTC)
