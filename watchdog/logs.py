"""Sets logging up once: readable lines for people, or one strict JSON object per line for machines, on stderr.

Loggers of other libraries speak from warning up, except in debug: their info lines repeat URLs with query strings.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from pythonjsonlogger.json import JsonFormatter

from watchdog.errors import BadConfig
from watchdog.report.plain import plain

LEVELS = ("debug", "info", "warning", "error")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: str = "info", format: Literal["text", "json"] = "text", stream: TextIO | None = None) -> None:  # noqa: A002 the config's own word
    """Set up the root logger; calling it again replaces what was set. Raises BadConfig for an unknown level."""
    if level.lower() not in LEVELS:
        raise BadConfig(f"log.level: {level!r} is not one of {', '.join(LEVELS)}")
    wanted = getattr(logging, level.upper())
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(StrictJson() if format == "json" else Readable())
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, StrictJson | Readable):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(wanted if wanted <= logging.DEBUG else max(wanted, logging.WARNING))
    logging.getLogger("watchdog").setLevel(wanted)
    logging.captureWarnings(True)


class StrictJson(JsonFormatter):
    """`{"at", "level", "logger", "message", …extras}`. NaN and infinities are strings: a bare NaN is not JSON."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="at",
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Make every value strict JSON, and put the time first."""
        cleaned: dict[str, Any] = plain(log_data)
        return {"at": cleaned.pop("at", None), **cleaned, "level": str(cleaned.get("level", "")).lower()}


class Readable(logging.Formatter):
    """`2026-11-23T14:03:21.042Z info    watchdog.engine  shop r8 arrived  target=shop`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows on its own lines."""
        at = datetime.fromtimestamp(record.created, UTC)
        extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        shown = "".join(f"  {key}={plain(value)}" for key, value in extras.items() if not key.startswith("_"))
        line = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z {record.levelname.lower():<7} {record.name}  "
        line += record.getMessage().replace("\n", "\n    ") + shown
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line += "\n" + record.exc_text
        return line
