"""Sends what the store says must be sent: at least once, under one id per event, in order, with back-off.

Notices are stored in the transaction that made their event, so a crash loses none; a crash between sending and noting
it repeats one, under the same id. A receiver that is down delays nobody: its round ends at the first failure.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol

from watchdog.errors import Refused, Unavailable
from watchdog.model.base import format_duration
from watchdog.model.incident import Event, EventKind, Notice
from watchdog.report.base import Busy, Receiver, Route

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)
LONGEST_REQUESTED_PAUSE = timedelta(hours=1)
"""A receiver's Retry-After is honoured up to this."""
GIVE_UP_AFTER = timedelta(hours=24)
PER_ROUND = 1_000
"""Notices read in one round: far more than a day of deploys makes, so that no receiver's backlog hides another's."""


class Queue(Protocol):
    """The part of the store that holds notices."""

    def due_notices(self, now: datetime, limit: int = 20) -> list[Notice]:
        """Notices whose time has come, oldest first."""
        ...

    def notice_sent(self, notice_id: str, now: datetime) -> None:
        """It was delivered."""
        ...

    def notice_failed(self, notice_id: str, next_at: datetime | None, error: str) -> None:
        """Try again at `next_at`; None: given up, and kept with its error."""
        ...


def notices_for(event: Event, receivers: Sequence[Route], now: datetime) -> tuple[Notice, ...]:
    """Who of these receivers must be told of the event. Notes go nowhere."""
    if event.kind is EventKind.note:
        return ()
    return tuple(
        Notice(id=f"{event.id}/{route.name}", event=event, receiver=route.name, created_at=now, next_at=now)
        for route in receivers
        if not route.events or event.kind in route.events
    )


def pause_after(attempts: int, jitter: float) -> timedelta:
    """How long to wait after this many failed attempts: 5 s, 10 s, … up to 15 min, each between half and all of it.

    `jitter` is in [0, 1). Half of the pause is kept so that a receiver which is down is never hammered.
    """
    doubled = FIRST_PAUSE.total_seconds() * 2.0 ** min(max(attempts - 1, 0), 16)
    return timedelta(seconds=min(doubled, LONGEST_PAUSE.total_seconds()) * (0.5 + jitter / 2))


class Outbox:
    """Delivers due notices. One caller per receiver at a time; different receivers may have different threads."""

    def __init__(self, store: Queue, receivers: Mapping[str, Receiver], chance: random.Random | None = None) -> None:
        self._store = store
        self._receivers = dict(receivers)
        self._chance = chance or random.Random()  # noqa: S311 spreads retries; nothing secret depends on it
        self._closed: dict[str, datetime] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The receivers it serves, for a caller that gives each a thread of its own."""
        return tuple(self._receivers)

    def deliver(self, now: datetime, receiver: str | None = None) -> int:
        """Send what is due, to all receivers or to that one, and return how many notices arrived.

        Notices of receivers that are no longer configured are given up, whichever receiver was asked for.
        Raises StoreUnavailable or StoreDamaged from the store; never anything from a receiver.
        """
        due = self._store.due_notices(now, PER_ROUND)
        sent = 0
        for name, notices in groupby(sorted(due, key=_order), key=lambda notice: notice.receiver):
            if name not in self._receivers:
                self._give_up(notices, f"the receiver {name} is no longer configured")
            elif receiver in (None, name):
                sent += self._serve(name, list(notices), now)
        return sent

    def _serve(self, name: str, notices: Sequence[Notice], now: datetime) -> int:
        """One receiver's notices in order, up to the first that finds it unavailable; returns how many arrived."""
        closed_until = self._closed.get(name, now)
        if closed_until > now:
            self._postpone(notices, closed_until, "waiting: the receiver did not answer an earlier notice")
            return 0
        sent = 0
        for position, notice in enumerate(notices):
            try:
                self._receivers[name].send(notice.event)
            except Refused as error:
                self._give_up([notice], str(error))
            except Unavailable as error:
                self._unavailable(notice, notices[position + 1 :], error, now)
                return sent
            else:
                self._closed.pop(name, None)
                self._store.notice_sent(notice.id, now)
                sent += 1
        return sent

    def _unavailable(self, notice: Notice, behind: Sequence[Notice], error: Unavailable, now: datetime) -> None:
        if now - notice.created_at >= GIVE_UP_AFTER:
            age = format_duration(now - notice.created_at)
            self._give_up([notice], f"given up after {age} and {notice.attempts + 1} attempts: {error}")
            attempts = 1
        else:
            attempts = notice.attempts + 1
            behind = [notice, *behind]
        pause = pause_after(attempts, self._chance.random())
        if isinstance(error, Busy):
            pause = max(pause, min(error.retry_after, LONGEST_REQUESTED_PAUSE))
        log.warning("receiver %s: %s; next try in %s", notice.receiver, error, format_duration(pause))
        self._closed[notice.receiver] = now + pause
        # The ones behind wait as well: a later event must not arrive before an earlier one.
        self._postpone(behind, now + pause, str(error))

    def _postpone(self, notices: Sequence[Notice], until: datetime, error: str) -> None:
        for notice in notices:
            self._store.notice_failed(notice.id, until, error)

    def _give_up(self, notices: Iterable[Notice], error: str) -> None:
        for notice in notices:
            log.error("event %s was not delivered to %s: %s", notice.event.id, notice.receiver, error)
            self._store.notice_failed(notice.id, None, error)


def _order(notice: Notice) -> tuple[str, datetime, datetime]:
    """By receiver, then as they happened."""
    return notice.receiver, notice.event.at, notice.created_at
