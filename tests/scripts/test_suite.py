"""The suite's own runner, on small parts: as a program of its own, since it waits for every process that ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import within

SCRIPTS = Path(__file__).parents[2] / "scripts"
PROGRAM = """
import sys
from pathlib import Path
import suite
from suite import Part
suite.FOLDER, suite.BUDGET, suite.PATIENCE = Path(sys.argv[1]), {budget}, 1.0
def sh(name, script, **fields):
    return Part(name, ("sh", "-c", script), **fields)
PARTS = {parts}
suite.parts = lambda: PARTS
machine = iter([0.0, {others}])
suite.machine_time = lambda: next(machine) + 0.0
suite.Suite.__init__.__defaults__ = (suite.FOLDER,)
sys.exit(suite.main(sys.argv[2:]))
"""
REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_good"/>
<testcase classname="tests.test_a" name="test_left_out"><skipped message="no"/></testcase>
<testcase classname="tests.test_a" name="test_bad[x]">
<failure message="assert 1 == 2&#10; + where 1&#10;third&#10;fourth"/></testcase>
</testsuite></testsuites>"""


def run(
    folder: Path, parts: str, *names: str, budget: int = 10**9, ci: str = "", others: float = 0
) -> subprocess.CompletedProcess[str]:
    program = folder / "program.py"
    program.write_text(PROGRAM.format(parts=parts, budget=budget, others=others))
    environment = {"PYTHONPATH": str(SCRIPTS), "PATH": "/usr/bin:/bin", "CI": ci}
    argv = [sys.executable, str(program), str(folder), *names]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=within(20), check=False)


def test_every_part_is_run_also_after_one_that_failed(tmp_path: Path) -> None:
    done = run(tmp_path, '[sh("one", "echo said; exit 3"), sh("two", "exit 0"), sh("three", "exit 0", lane="other")]')
    assert done.returncode == 1
    assert "--- one: exit code 3" in done.stdout
    assert "said" in done.stdout
    assert "--- two: exit code 0" in done.stdout
    assert "--- three: exit code 0" in done.stdout
    assert "parts that failed: one\n0 passed, 1 failed, 0 skipped\n" in done.stdout


def test_a_lane_is_in_order_and_waits_for_what_it_needs(tmp_path: Path) -> None:
    say = "; ".join(["sleep {0}", "echo {1} >> " + str(tmp_path / "order")])
    parts = [("slow", "other", "()", "0.5"), ("first", "units", "()", "0"), ("needs", "units", "('slow',)", "0")]
    parts.append(("last", "units", "()", "0"))
    written = [f'sh("{n}", "{say.format(t, n)}", lane="{lane}", needs={after})' for n, lane, after, t in parts]
    done = run(tmp_path, f"[{', '.join(written)}]")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "order").read_text().split() == ["first", "slow", "needs", "last"]


def test_the_processor_time_of_what_is_left_to_itself_is_counted_and_it_is_ended(tmp_path: Path) -> None:
    burns = "setsid sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done' & "
    done = run(tmp_path, f'[sh("one", "{burns}"), sh("two", "setsid sleep 60 & exit 0")]')
    assert done.returncode == 0, done.stdout
    (daemons,) = [line.split() for line in done.stdout.splitlines() if line.startswith("daemons")]
    assert int(daemons[2].replace(",", "")) >= 3, done.stdout
    assert "left running, ended now: " in done.stdout
    assert "sleep 60" in done.stdout


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_more_processor_time_than_the_budget_fails_in_ci(tmp_path: Path, ci: str, code: int) -> None:
    done = run(tmp_path, '[sh("one", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done")]', budget=0, ci=ci)
    assert done.returncode == code
    assert "more processor time than is allowed" in done.stdout


def test_no_budget_is_asked_for_on_a_machine_that_does_much_else(tmp_path: Path) -> None:
    done = run(
        tmp_path, '[sh("one", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done")]', budget=0, ci="true", others=90
    )
    assert done.returncode == 0
    assert "No budget is asked for: other programs took 1:" in done.stdout


def test_tests_are_counted_and_what_failed_is_named_with_why(tmp_path: Path) -> None:
    (tmp_path / "report").write_text(REPORT)
    script = f"cp {tmp_path}/report {tmp_path}/units.xml; exit 1"
    done = run(tmp_path, f'[sh("units", "{script}", pytest=True)]')
    assert "FAILED tests/test_a.py::test_bad[x]\n    assert 1 == 2\n     + where 1\n    third\n\n" in done.stdout
    assert done.stdout.endswith("parts that failed: units\n1 passed, 1 failed, 1 skipped\n")


def test_some_parts_by_name_with_what_they_need(tmp_path: Path) -> None:
    parts = '[sh("install", "exit 0"), sh("lint", "exit 0"), sh("quick", "exit 0", needs=("install",))]'
    done = run(tmp_path, parts, "quick")
    assert "--- install begins" in done.stdout
    assert "--- lint begins" not in done.stdout
    assert run(tmp_path, parts, "quic").stderr == "there is no part quic; there are: install, lint, quick\n"
