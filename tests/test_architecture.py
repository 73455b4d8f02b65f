"""The promises about the code's own shape."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import within

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "watchdog"


def test_the_layers_hold():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within(100),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_other_package_named_watchdog_is_not_here():
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.distribution("watchdog")


def sources(*folders: str) -> dict[str, str]:
    paths = [p for folder in folders or ("",) for p in (PACKAGE / folder).rglob("*.py")]
    return {str(p.relative_to(PACKAGE)): p.read_text() for p in paths}


def test_judge_reads_no_clock_and_does_no_io():
    asks = re.compile(
        r"\b(time\.(time|sleep|monotonic)\(|datetime\.now|open\()|^\s*(import|from) (subprocess|requests|socket)\b",
        re.MULTILINE,
    )
    assert {name for name, text in sources("judge").items() if asks.search(text)} == set()


def test_only_the_clock_and_the_edges_read_the_time():
    """Everything else is given `now`. `time.monotonic` measures how long something took, and is allowed."""
    reads = {name for name, text in sources().items() if re.search(r"datetime\.now\(|time\.time\(", text)}
    assert {name for name in reads if not name.startswith(("demo/", "cli/"))} <= {"clock.py", "daemon.py"}


def test_no_shell_anywhere():
    assert {name for name, text in sources().items() if re.search(r"shell=True|os\.system|os\.popen", text)} == set()


def test_no_file_is_two_ideas():
    assert {name: n for name, text in sources().items() if (n := text.count("\n")) > 300} == {}


def test_only_the_engine_acts():
    """`execute` is called in one place, and only on an actor."""
    calls = {name for name, text in sources().items() if ".execute(" in text and not name.startswith("store/")}
    assert calls == {"engine/rolling.py"}


def test_nothing_is_unfinished():
    words = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    assert {name for name, text in sources().items() if words.search(text)} == set()
