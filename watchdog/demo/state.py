"""The folder that the demo's host and its programs share: releases, what is wanted, what runs, and the log.

Each file has one writer, and is replaced whole: a reader never sees half of one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class State:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "service.log"

    def release(self, version: str) -> dict[str, Any] | None:
        """What a version is made of, or None if there is no such release."""
        found: dict[str, Any] | None = self._read(f"release-{version}.json")
        return found

    def add_release(self, version: str, **made_of: str) -> None:
        """Put a release there, ready to be deployed."""
        self._write(f"release-{version}.json", made_of)

    @property
    def wanted(self) -> str | None:
        """The version that is to run."""
        found = self._read("wanted.json")
        return found["version"] if found else None

    def want(self, version: str) -> None:
        """Order a version. The host brings it up."""
        self._write("wanted.json", {"version": version})

    @property
    def history(self) -> list[str]:
        """The versions that were ever deployed, newest first."""
        return list(self._read("history.json") or [])

    def add_to_history(self, version: str) -> None:
        """Note a deploy."""
        self._write("history.json", [version, *(v for v in self.history if v != version)])

    @property
    def running(self) -> dict[str, Any] | None:
        """What the host says: `host` is its process id, `status` what a command target's `status` prints."""
        found: dict[str, Any] | None = self._read("running.json")
        return found

    def say(self, host: int, status: dict[str, Any]) -> None:
        """For the host alone: what runs."""
        self._write("running.json", {"host": host, "status": status})

    def _read(self, name: str) -> Any:
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def _write(self, name: str, value: Any) -> None:
        path = self.folder / name
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(value), encoding="utf-8")
        new.replace(path)
