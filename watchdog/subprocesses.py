"""Runs other programs: an argument list, never a shell, with a time limit and a limit on what they may print.

The program gets a session of its own, so that what it started ends with it when the time is up. It can't read the
terminal, can't block us by printing too much, and can't hold us up by leaving a child behind that keeps its output
open. A program that ends by itself may leave such a child running: that is how a deploy script starts a service.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Literal

from watchdog.errors import Unavailable
from watchdog.model.base import format_duration

LIMIT = 1024 * 1024
"""Bytes kept of each of stdout and stderr."""

_TERM_GRACE = 1.0  # seconds between SIGTERM and SIGKILL when the time is up
_PIPE_GRACE = 0.5  # seconds we go on reading after the program ended, if a child of it keeps the pipe open
_LOOK = 0.1  # seconds between looks at whether the program has ended while its output is still open
_CHUNK = 65536

# fmt: off
_PASSED_ON = frozenset(
    [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR",
        "DBUS_SESSION_BUS_ADDRESS", "SSL_CERT_FILE", "SSL_CERT_DIR", "DOCKER_HOST", "DOCKER_CONTEXT",
        "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "KUBECONFIG",
    ]
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Completed:
    """What became of a program."""

    code: int
    """Its exit code; negative: the signal that ended it."""
    out: str
    err: str
    took: timedelta
    timed_out: bool = False
    """It was killed because its time was up or it was cancelled; `code` is then what the kill made of it."""
    out_truncated: bool = False
    """It printed more to stdout than was kept."""
    err_truncated: bool = False

    @property
    def truncated(self) -> bool:
        """It printed more, to stdout or stderr, than was kept."""
        return self.out_truncated or self.err_truncated

    @property
    def ok(self) -> bool:
        """It ended by itself, in time, with exit code 0."""
        return self.code == 0 and not self.timed_out

    @property
    def outcome(self) -> str:
        """How it ended, in words: `exited with code 3`, `was killed by SIGSEGV`."""
        if self.timed_out:
            return f"did not finish in time and was stopped after {format_duration(self.took)}"
        if self.code < 0:
            return f"was killed by {_signal_name(-self.code)}"
        return f"exited with code {self.code}"

    @property
    def last_words(self) -> str:
        """The last line it printed to stderr, else to stdout; at most 500 characters. May hold secrets: mask it."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1].strip()[:500] if lines else ""


def minimal_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables a program needs to run at all (PATH, HOME, locale, where Docker is), and none of our secrets."""
    source = os.environ if environ is None else environ
    return {name: value for name, value in source.items() if name in _PASSED_ON or name.startswith("LC_")}


def run(
    argv: Sequence[str],
    *,
    timeout: timedelta,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    limit: int = LIMIT,
    stdin: str | None = None,
    keep: Literal["start", "end"] = "start",
    cancel: threading.Event | None = None,
) -> Completed:
    """Run a program to its end, or to the end of its time, or until `cancel` is set (looked at every 0.1 s).

    `env` None: our own environment (see `minimal_environment`). `limit`: bytes kept of each of stdout and stderr, the
    first or the last ones by `keep`; the rest is read and dropped. `stdin`: its input; None: none at all.
    When the time is up (or it is cancelled) the whole process group gets SIGTERM and, a second later, SIGKILL.
    Raises Unavailable when the program can't be started.
    """
    began = time.monotonic()
    process = _start(argv, cwd, env, has_input=stdin is not None)
    reader = _Reader(process, stdin, limit, keep, cancel or threading.Event())
    timed_out = True
    try:
        timed_out = not reader.read_until(began + timeout.total_seconds())
    finally:
        # Also on KeyboardInterrupt: nothing we started outlives us.
        if timed_out:
            _kill_group(process)
            reader.cancel = threading.Event()
            reader.read_until(time.monotonic() + _PIPE_GRACE)
        reader.close()
        code = _reap(process)
    return Completed(
        code=code,
        out=reader.text("out"),
        err=reader.text("err"),
        took=timedelta(seconds=time.monotonic() - began),
        timed_out=timed_out,
        out_truncated=reader.truncated("out"),
        err_truncated=reader.truncated("err"),
    )


def _start(
    argv: Sequence[str], cwd: str | Path | None, env: Mapping[str, str] | None, *, has_input: bool
) -> subprocess.Popen[bytes]:
    if not argv:
        raise Unavailable("cannot run a program: the argument list is empty")
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=None if env is None else dict(env),
            start_new_session=True,
            bufsize=0,
        )
    except FileNotFoundError as error:
        if cwd is not None and not Path(cwd).is_dir():
            raise Unavailable(f"cannot run {argv[0]!r}: the directory {str(cwd)!r} does not exist") from error
        raise Unavailable(f"cannot run {argv[0]!r}: no such program; is it installed and on the PATH?") from error
    except PermissionError as error:
        raise Unavailable(f"cannot run {argv[0]!r}: permission denied; is it executable?") from error
    except (OSError, ValueError) as error:
        raise Unavailable(f"cannot run {argv[0]!r}: {error}") from error


class _Kept:
    """The first or last `limit` bytes of a stream."""

    def __init__(self, limit: int, keep: Literal["start", "end"]) -> None:
        self._limit, self._keep = limit, keep
        self._bytes = bytearray()
        self.truncated = False

    def add(self, chunk: bytes) -> None:
        if self._keep == "start":
            room = self._limit - len(self._bytes)
            self.truncated |= len(chunk) > room
            self._bytes += chunk[:room]
            return
        self._bytes += chunk
        if len(self._bytes) > self._limit:
            self.truncated = True
            if len(self._bytes) > 2 * self._limit + _CHUNK:  # cut rarely: each cut moves all of it
                del self._bytes[: -self._limit]

    def text(self) -> str:
        kept = self._bytes[-self._limit :] if self._keep == "end" else self._bytes
        return kept.decode("utf-8", errors="replace")


class _Reader:
    """Feeds a program and reads what it prints, without threads and without ever blocking past a deadline."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stdin: str | None,
        limit: int,
        keep: Literal["start", "end"],
        cancel: threading.Event,
    ) -> None:
        self.cancel = cancel
        self._process = process
        self._input = memoryview((stdin or "").encode())
        self._selector = selectors.DefaultSelector()
        self._kept = {"out": _Kept(limit, keep), "err": _Kept(limit, keep)}
        for name, pipe, event in (
            ("in", process.stdin, selectors.EVENT_WRITE),
            ("out", process.stdout, selectors.EVENT_READ),
            ("err", process.stderr, selectors.EVENT_READ),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, event, name)

    def read_until(self, deadline: float) -> bool:
        """Go on until the program has ended and its output is read; False if the deadline or a cancel came first."""
        ended_at: float | None = None
        while (now := time.monotonic()) < deadline and not self.cancel.is_set():
            if ended_at is None and _has_ended(self._process):
                ended_at = now
            if ended_at is not None and (not self._selector.get_map() or now > ended_at + _PIPE_GRACE):
                return True
            # With nothing left to read there is nothing to wake us but the clock.
            for key, _ in self._selector.select(min(_LOOK if self._selector.get_map() else 0.01, deadline - now)):
                self._serve(key)
        return _has_ended(self._process)

    def _serve(self, key: selectors.SelectorKey) -> None:
        pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
        if key.data == "in":
            try:
                self._input = self._input[os.write(key.fd, self._input[:_CHUNK]) :]
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._input = self._input[:0]  # it does not want the rest
            if not self._input:
                self._drop(pipe)
            return
        try:
            chunk = os.read(key.fd, _CHUNK)
        except BlockingIOError:
            return
        if chunk:
            self._kept[key.data].add(chunk)
        else:
            self._drop(pipe)

    def _drop(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        pipe.close()

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            self._drop(key.fileobj)  # type: ignore[arg-type]
        self._selector.close()

    def text(self, name: str) -> str:
        return self._kept[name].text()

    def truncated(self, name: str) -> bool:
        return self._kept[name].truncated


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended, without reaping it: while it is a zombie, its process group id can't be reused."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGTERM, _TERM_GRACE), (signal.SIGKILL, _TERM_GRACE)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and not _has_ended(process):
            time.sleep(0.01)


def _reap(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(timeout=_TERM_GRACE)
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL  # it hangs in the kernel (a dead disk or network share) and ends when that lets go


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
