"""Each part once, in its smallest size: that it measures what it says. How fast it is, is not asked here."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import api_requests, compose, daemons, kubernetes, looks, processes, ticks
from bench.machine import facts
from bench.prometheus import serving
from bench.report import Result, Row, Skipped
from tests.waiting import within
from watchdog.engine.loop import LOOKS_A_TURN


@pytest.mark.slow
@pytest.mark.parametrize("watches", [2, LOOKS_A_TURN + 1])
def test_turns_are_timed_with_and_without_rules_due(tmp_path: Path, watches: int):
    turns = ticks.timed_turns(watches, cycles=2, file=tmp_path / "state.db")

    assert len(turns.due) == 2
    assert len(turns.quiet) == 18
    assert min(*turns.quiet, *turns.due) > 0


def test_looks_are_measured_where_following_finds_what_all_samples_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {"SCRAPES": (10, 24), "UPDATES": 5, "CALIBRATIONS": 1, "DAY": 480, "PODS": 2}.items():
        monkeypatch.setattr(looks, name, value)
    rows = {row.name: row for row in looks.measure(tmp_path) if isinstance(row, Result)}
    for kind in ("ratio", "latency", "level", "growth"):
        assert {
            f"calibration, {kind}",
            f"one update, {kind}, 10 scrapes",
            f"one update, {kind}, 24 scrapes",
            f"one update, {kind}, mean of all 24 scrapes",
        } <= rows.keys()
    seen = "that of one scrape in 8, when growth is looked at"
    assert {f"{seen}, 2 pods", f"{seen}, one pod"} <= rows.keys()
    assert any(name.startswith("one update, latency, mean of") and name.endswith("bad deploy trips") for name in rows)
    held = rows["memory of a watch: 6 rules, 24 scrapes"]
    assert 0 < held.median < 1000
    read = rows["samples read by one look of all its rules"]
    assert read.baseline is not None
    assert 0 < read.median < read.baseline.value


@pytest.mark.slow
def test_the_daemon_to_measure_starts_and_ends(tmp_path: Path):
    place = daemons._made(tmp_path / "warm")
    daemons._warm_up(place)
    log = (place / "watchdog.log").read_text()
    assert "guarding" in log
    assert log.rstrip().endswith("stopped")


def test_a_process_is_measured_and_ended(tmp_path: Path):
    code = "import time\nwhile True: sum(range(10**5))"
    with processes.running([sys.executable, "-c", code], tmp_path / "log") as process:
        processes.wait_until(lambda: processes.cpu_seconds(process.pid) > 0.1, "it to use the processor", within(30))
        assert 1 < processes.resident_mb(process.pid) < 1000
        ((share,),) = processes.cpu_shares([process.pid], windows=1, seconds=0.1)
        assert share >= 0
    assert process.returncode is not None


def test_what_a_process_wrote_is_told_when_the_measurement_fails(tmp_path: Path):
    def fail() -> None:
        with processes.running([sys.executable, "-c", "print('no disk')"], tmp_path / "log") as process:
            process.wait(within(30))
            raise RuntimeError("not measured")

    with pytest.raises(RuntimeError, match="not measured") as caught:
        fail()
    assert "no disk" in "\n".join(caught.value.__notes__)


def test_waiting_has_an_end_that_says_what_was_waited_for():
    with pytest.raises(TimeoutError, match="waited 0 s for rain"):
        processes.wait_until(lambda: False, "rain", seconds=0)


def test_its_prometheus_answers_every_query():
    with serving() as url, urllib.request.urlopen(f"{url}/api/v1/query?query=up", timeout=within(10)) as answer:
        document = json.load(answer)
    assert document["status"] == "success"
    assert document["data"]["result"][0]["value"][1] == "1"


def test_the_machine_and_the_versions_are_named():
    found = facts()
    assert str(len(os.sched_getaffinity(0))) in found["processor"]
    assert found["Python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert list(found)[-2:] == ["Kubernetes", "Helm"]


@pytest.mark.parametrize("measure", [kubernetes.measure, api_requests.measure_idle])
def test_without_a_cluster_the_row_says_what_is_missing(
    measure: Callable[[Path], Iterator[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for part in (kubernetes, api_requests):
        monkeypatch.setattr(part, "missing", lambda: "etcd, helm4")
    (row,) = measure(tmp_path)
    assert isinstance(row, Skipped)
    assert row.missing == "etcd, helm4"


def test_without_docker_the_row_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compose, "missing", lambda: "dockerd, runc")
    (row,) = compose.measure(tmp_path)
    assert row == Skipped("crash-looping deploy to healthy again", "dockerd, runc")


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_what_is_missing_is_a_failure_only_in_ci(
    ci: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(sys, "argv", ["bench", "a", "b"])
    monkeypatch.setattr(bench.signal, "signal", lambda *_: None)
    monkeypatch.setattr(bench.signal, "alarm", lambda _: 0)
    parts = {
        "a": lambda _: iter([Result("speed", "s", (1.0,))]),
        "b": lambda _: iter([Skipped("rollback", "dockerd")]),
    }
    monkeypatch.setattr(bench, "MEASUREMENTS", parts)

    assert bench.main() == code

    printed = capsys.readouterr().out
    assert "| speed " in printed
    assert "skipped: dockerd" in printed


def test_what_takes_long_is_measured_only_when_it_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    limits: list[int] = []
    monkeypatch.setattr(bench.signal, "signal", lambda *_: None)
    monkeypatch.setattr(bench.signal, "alarm", limits.append)
    parts = {name: lambda _, name=name: iter([Result(name, "s", (1.0,))]) for name in bench.MEASUREMENTS}
    monkeypatch.setattr(bench, "MEASUREMENTS", parts)

    monkeypatch.setattr(sys, "argv", ["bench"])
    bench.main()
    printed = capsys.readouterr().out
    assert "| kubernetes " in printed
    assert "kubernetes-idle" not in printed

    monkeypatch.setattr(sys, "argv", ["bench", "kubernetes-idle"])
    bench.main()
    assert "| kubernetes-idle " in capsys.readouterr().out
    assert limits[2] > limits[0] > limits[1] == 0


def test_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["bench", "lunch"])
    with pytest.raises(SystemExit) as caught:
        bench.main()
    assert caught.value.code == 2
    assert "lunch: not measured here; known: ticks, daemons, compose" in capsys.readouterr().err
