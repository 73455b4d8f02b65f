"""However a demo ends, nothing of it is left."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.demo.performing import demo, processes_of, wait_for_words
from tests.waiting import wait_until, within

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which processes are left"),
]


@pytest.mark.parametrize(
    ("number", "moment", "code"),
    [
        (signal.SIGINT, "starting v1", 130),
        (signal.SIGTERM, "arrived after v1", 143),
        (signal.SIGINT, "rolling shop back", 130),
    ],
)
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals, moment: str, code: int):
    with demo("--fault", "crash", tmp=tmp_path) as process:
        wait_for_words(process, moment)
        process.send_signal(number)
        out, _ = process.communicate(timeout=within(30))
    assert process.returncode == code, out
    assert "everything was taken away" in out
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def test_killed_outright_its_processes_end_by_themselves(tmp_path: Path):
    with demo("--fault", "none", tmp=tmp_path) as process:
        wait_for_words(process, "arrived after v1")  # with the whole bake time still before it
        wait_until(lambda: len(processes_of(tmp_path)) >= 3, "the demo, its host and its service to run")
    wait_until(lambda: processes_of(tmp_path) == [], "the host and the service to end")
