"""Runs demos as a person would: a program of its own, watched from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def demo(*arguments: str, tmp: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A demo whose files go to `tmp`. That folder's name in their environment also tells its processes."""
    argv = [sys.executable, "-m", "watchdog.demo", *arguments]
    own = {"PATH": os.environ["PATH"], "HOME": str(tmp.parent), **(env or {}), "TMPDIR": str(tmp)}
    with subprocess.Popen(argv, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_words(process: subprocess.Popen[str], words: str) -> None:
    """Read what it says until these words come. Fails with all that was said when they don't."""
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if words in line:
            return
    raise AssertionError(f"it never said {words!r}, but:\n{''.join(said)}")


def processes_of(tmp: Path) -> list[str]:
    """The command lines of all processes that began in a demo with this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"TMPDIR={tmp}\0".encode() in (process / "environ").read_bytes() + b"\0":
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
    return found
