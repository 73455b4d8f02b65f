"""What a receiver promises, and how it says that it could not.

`Unavailable` means try again later, `Refused` means that trying again would get the same answer. Nothing else leaves
`send`, and neither message ever holds a secret.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from watchdog.errors import Unavailable
from watchdog.model.incident import Event, EventKind


class Busy(Unavailable):
    """The receiver asked for a pause: nothing should be sent to it before `retry_after` is over."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Receiver(Protocol):
    """Tells somebody about events. Called from one thread at a time."""

    @property
    def name(self) -> str:
        """The name targets use."""
        ...

    def send(self, event: Event) -> None:
        """Deliver one event, within the receiver's own time limit.

        May be called again with the same event: the event's id goes along, so that repeats can be dropped.
        Raises Unavailable (Busy when the receiver said how long to wait) or Refused.
        """
        ...


class Route(Protocol):
    """Which events one receiver wants; a configured receiver is one."""

    @property
    def name(self) -> str:
        """The receiver's name."""
        ...

    @property
    def events(self) -> tuple[EventKind, ...]:
        """The kinds it wants; empty: all but notes."""
        ...
