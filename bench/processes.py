"""Processes to be measured: begun, read in /proc, and ended, by id. Linux only."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_SECONDS = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Memory in RAM (VmRSS, with the pages it shares), in MB of 10⁶ bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(kib) * 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """Processor time so far, user and system, its own and that of programs it ran and waited for."""
    # The second field is the program's name in parentheses, and may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    utime, stime, cutime, cstime = (int(field) for field in fields[11:15])
    return (utime + stime + cutime + cstime) / _TICKS


def cpu_shares(pids: Sequence[int], windows: int, seconds: float) -> list[tuple[float, ...]]:
    """For each process, its share of one core in percent in each of several windows, all measured at the same time."""
    shares: list[tuple[float, ...]] = []
    before, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
    for _ in range(windows):
        time.sleep(seconds)
        after, ended = [cpu_seconds(pid) for pid in pids], time.monotonic()
        shares.append(tuple(100 * (b - a) / (ended - began) for a, b in zip(before, after, strict=True)))
        before, began = after, ended
    return list(zip(*shares, strict=True))


def wait_until(true: Callable[[], object], what: str, seconds: float, every: float = 0.05) -> None:
    """Ask again until it is true. Raises TimeoutError, saying what was waited for."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(every)


@contextmanager
def running(
    argv: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its output in a file; asked to end afterwards, and killed if it does not."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    try:
        yield process
    except BaseException as error:
        error.add_note(f"{argv[0]} had written:\n{log.read_text(errors='replace')[-2000:]}")
        raise
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
