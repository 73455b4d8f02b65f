"""A clock that stands still until it is told to move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """Starts at a fixed moment; `advance` moves it."""

    def __init__(self, at: datetime = EPOCH) -> None:
        self._now = at

    def now(self) -> datetime:
        """The moment it stands at."""
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Move on (or back, for a clock that jumps), and say the new time."""
        self._now += timedelta(seconds=seconds)
        return self._now
