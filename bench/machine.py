"""What the numbers were measured on: the machine and the versions, without which they say little."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from watchdog import __version__

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / ".cache" / "go" / "bin"


def facts() -> dict[str, str]:
    """Name → value, in the order to be shown. What can't be found out is said to be unknown."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}; {len(os.sched_getaffinity(0))} cores; load {os.getloadavg()[0]:.2f} at the end",
        "memory": _memory(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "watchdog": f"{__version__}, commit {_commit()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite3.sqlite_version,
        "Docker": _version("dockerd", "--version"),
        "Compose": _version(str(Path(sys.executable).parent / "docker-compose"), "version"),
        "Kubernetes": _version(str(PROGRAMS / "kube-apiserver"), "--version"),
        "Helm": _version(str(PROGRAMS / "helm4"), "version", "--short"),
    }


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown processor"


def _memory() -> str:
    found = re.search(r"^MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return f"{int(found[1]) / 2**20:.1f} GiB" if found else "unknown"


def _commit() -> str:
    head = _printed("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    if head is None:
        return "unknown"
    changed = _printed("git", "-C", str(ROOT), "status", "--porcelain", "--", "watchdog", "rules")
    return f"{head}, with changes that are not committed" if changed else head


def _version(*argv: str) -> str:
    found = re.search(r"\d+\.\d+[\w.+-]*", _printed(*argv) or "")
    return found[0] if found else "not here"


def _printed(*argv: str) -> str | None:
    program = shutil.which(argv[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        return None
    done = subprocess.run([program, *argv[1:]], capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
