"""What all values share: frozen, strict about unknown fields, and the same in Python, in the store and in JSON."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Value(BaseModel):
    """A frozen value. Times are aware UTC datetimes; durations are seconds in JSON; NaN and infinities are strings."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_timedelta="float", ser_json_inf_nan="strings", allow_inf_nan=True
    )


def parse_duration(text: Any) -> Any:
    """Read `10m`, `1h30m`, `500ms` (Prometheus' notation). Other types are left to pydantic (seconds, timedelta)."""
    if not isinstance(text, str):
        return text
    parts = _PART.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError(f"expected a duration such as 30s, 10m or 1h30m, not {text!r}")
    return timedelta(seconds=sum(float(n) * _UNIT[u] for n, u in parts))


def format_duration(duration: timedelta) -> str:
    """Write a duration as people say it: `1m30s`, `2h`, `0.5s`."""
    seconds = duration.total_seconds()
    if seconds < 0:
        return "-" + format_duration(-duration)
    if seconds < 60:
        return f"{round(seconds, 2):g}s"
    whole = round(seconds)
    out = ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        out += f"{count}{unit}" if count else ""
    return out


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$", "examples": ["30s", "10m", "1h30m"]}
    ),
]
