"""Any value as what strict JSON can hold: no NaN, no infinities, no objects.

The spelling is that of `model.base.Value`: times in ISO 8601 with Z, durations in seconds, NaN and infinities as the
strings "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel, SecretBytes, SecretStr

from watchdog.model.masking import MASK

JsonNumber = float | Literal["NaN", "Infinity", "-Infinity"]
"""A number as it stands in our JSON."""


def number(value: float) -> JsonNumber:
    """The number, or the string JSON needs in its place."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def plain(value: Any) -> Any:  # noqa: PLR0911 one line per type reads best
    """The value as dicts, lists, strings, finite numbers, booleans and None. Secrets become `***`."""
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case int() | str():
            return value
        case float():
            return number(value)
        case datetime():
            return timestamp(value)
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case SecretStr() | SecretBytes():
            return MASK
        case BaseModel():
            return plain(value.model_dump())
        case Mapping():
            return {str(plain(key)): plain(child) for key, child in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(child) for child in value]
    return str(value)


def timestamp(at: datetime) -> str:
    """ISO 8601 in UTC with Z; a naive time is taken as UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_json(value: Any) -> str:
    """The value as strict, compact JSON."""
    return json.dumps(plain(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
