"""However a demo ends, nothing of it is left."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.demo.performing import demo, processes_of, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which processes are left"),
]


@pytest.mark.parametrize(
    ("number", "moment", "code"),
    [
        (signal.SIGINT, "starting v1", 130),
        (signal.SIGTERM, "watching it", 143),
        (signal.SIGINT, "rolling back", 130),
    ],
)
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals, moment: str, code: int):
    process = demo("--fault", "crash", tmp=tmp_path)
    assert process.stdout is not None
    try:
        assert any(moment in line for line in process.stdout), f"it never said {moment!r}"
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait(5)
    assert process.returncode == code, out
    assert "everything was taken away" in out
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def test_killed_outright_its_processes_end_by_themselves(tmp_path: Path):
    process = demo("--fault", "none", tmp=tmp_path)
    assert process.stdout is not None
    try:
        assert any("is known good" in line for line in process.stdout)
        assert len(processes_of(tmp_path)) >= 3, "the demo, its host and its service"
    finally:
        process.kill()
        process.wait(5)
        process.stdout.close()
    wait_until(lambda: processes_of(tmp_path) == [], "the host and the service to end")
