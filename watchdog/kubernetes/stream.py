"""One watch: an endless answer of one JSON object a line, which can be ended from another thread."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, ClassVar

import urllib3

from watchdog.errors import Unavailable
from watchdog.kubernetes.errors import in_words, refusal


class Stream:
    """The changes the API server sends."""

    LASTS: ClassVar[int] = 290
    """Seconds until the API server ends it; then it is opened again where it ended."""
    SILENT: ClassVar[float] = 100.0
    """Seconds without a word after which it counts as lost. A bookmark comes about every minute."""

    def __init__(self, raw: urllib3.HTTPResponse, doing: str) -> None:
        self._raw, self._doing = raw, doing
        self._ended = False

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """ADDED, MODIFIED, DELETED or BOOKMARK, with the object. Ends when the API server ends it, or `end` does.

        Raises Expired, Unavailable, Forbidden and Refused as the API server says.
        """
        rest = b""
        try:
            for chunk in self._raw.stream(None):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield self._change(line)
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            if not self._ended:
                raise Unavailable(f"{self._doing}: the watch broke off: {in_words(error)}") from error
        finally:
            self._raw.close()

    def _change(self, line: bytes) -> tuple[str, dict[str, Any]]:
        change = json.loads(line)
        kind, thing = str(change.get("type")), change.get("object") or {}
        if kind == "ERROR":
            raise refusal(self._doing, int(thing.get("code") or 500), json.dumps(thing).encode())
        return kind, thing

    def end(self) -> None:
        """End it now, from any thread."""
        self._ended = True
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
            self._raw.shutdown()
