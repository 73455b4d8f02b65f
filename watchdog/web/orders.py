"""The bodies of orders: strict, and every unknown field is refused."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from watchdog.model.base import parse_duration
from watchdog.web.errors import ApiError

DURATION = (
    r"^(([1-9]|[12][0-9]|30)d|([1-9][0-9]?|[1-6][0-9]{2}|7[01][0-9])h([1-5]?[0-9]m)?"
    r"|[1-9][0-9]{0,3}m|[1-9][0-9]{0,4}s)$"
)
"""`2h`, `1h30m`, `45m`, `90s`, `7d`: at most 30 days. What fits is accepted: the schema tells the whole truth."""
PLAIN_TEXT = r"^[^\u0000-\u001f\u007f]+$"
"""No control characters: it is shown in terminals and logs."""
_DURATION_SCHEMA = {"type": "string", "pattern": DURATION, "examples": ["2h", "1h30m", "7d"]}
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=PLAIN_TEXT)]


class Order(BaseModel):
    """What every order may say."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    by: Line = "api"
    """Who orders it: shown in the timeline and to receivers."""


class RollbackOrder(Order):
    """Roll the target back now."""

    to: Line | None = None
    """A revision of its history; null: the newest known good one that does not run."""
    dry_run: bool = False
    """Only say what would be done."""


class PauseOrder(Order):
    """No automatic rollbacks for a while."""

    duration: Annotated[Annotated[str, WithJsonSchema(_DURATION_SCHEMA)] | None, Field(alias="for")] = None
    """How long, at most 30d; null: until resumed."""
    reason: Line


class ResumeOrder(Order):
    """End the pause, or accept what is held."""


class ApproveOrder(Order):
    """Accept a revision as known good."""

    revision: Line | None = None
    """null: the held one, else the running one."""


def duration_of(text: str | None) -> timedelta | None:
    """The time of a pause. Raises ApiError 422."""
    if text is None:
        return None
    if not re.fullmatch(DURATION, text):
        hint = "write it as 2h, 1h30m, 45m or 7d, at most 30d; leave it out to pause until resumed"
        raise ApiError(422, f"for: {text[:40]!r} is not a time a pause may last", hint)
    return timedelta(seconds=parse_duration(text).total_seconds())
