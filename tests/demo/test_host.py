"""The host and its programs keep the contract of a command target, and the service that of a /metrics page."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import wait_until, within
from watchdog.demo import Fault, platform
from watchdog.demo.config import config_text
from watchdog.demo.proof import prove
from watchdog.demo.service import Metrics
from watchdog.demo.stage import CommandStage
from watchdog.demo.state import State
from watchdog.demo.traffic import Traffic
from watchdog.model.target import Target
from watchdog.observe.command import CommandPlatform
from watchdog.settings import load

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[CommandStage]:
    """v1 runs; v2 would crash."""
    stage = CommandStage(tmp_path, Fault.crash)
    try:
        stage.start(threading.Event())
        yield stage
    finally:
        stage.close()


def guarded(stage: CommandStage, folder: Path) -> Target:
    path = folder / "watchdog.yaml"
    path.write_text(config_text(stage.name, stage.kind, stage.target(), stage.port))
    return load(path, {}).targets[0]


def test_its_programs_answer_as_a_command_target_must(stage: CommandStage, tmp_path: Path):
    shop, reading = guarded(stage, tmp_path), CommandPlatform()
    assert reading.check(shop) == []
    snapshot = reading.snapshot(shop, datetime.now(UTC))
    assert (snapshot.name, snapshot.rollout.phase.value) == ("v1", "complete")
    assert [i.state for i in snapshot.instances] == ["running"]


def test_crashes_are_told_and_a_rollback_brings_it_back(stage: CommandStage, tmp_path: Path):
    shop, reading = guarded(stage, tmp_path), CommandPlatform()
    stage.deploy(threading.Event())
    wait_until(lambda: len(reading.snapshot(shop, datetime.now(UTC)).exits) >= 2, "two crashes")
    assert reading.snapshot(shop, datetime.now(UTC)).exits[0].exit_code == 3
    assert reading.history(shop, 10) == ("v2", "v1")
    assert any("FATAL" in item.text for item in reading.evidence(shop, reading.snapshot(shop, datetime.now(UTC))))

    assert platform.main([str(tmp_path / "host"), "rollback", "v1"]) == 0
    after = reading.snapshot(shop, datetime.now(UTC))
    assert (after.name, after.exits, after.rollout.phase.value) == ("v1", (), "complete")
    assert prove(stage.port, "v1").ok


def test_the_proof_takes_nobodys_word(stage: CommandStage):
    assert not prove(stage.port, "v2").ok
    stage.close()
    assert prove(stage.port, "v1").words == "/healthz answers nothing"


def test_traffic_is_felt(stage: CommandStage):
    traffic = Traffic(stage.port)
    traffic.start()
    try:
        wait_until(lambda: traffic.felt().per_second > 5, "some requests")
        assert traffic.felt().failed == 0
    finally:
        traffic.close()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["deploy", "v9"], "there is no release v9"),
        (["rollback", "v9"], "v9 was never deployed; the history has nothing"),
        (["status"], "the host does not run"),
    ],
)
def test_its_programs_refuse_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], says: str):
    assert platform.main([str(tmp_path), *argv]) == 1
    assert says in capsys.readouterr().err


def test_a_dead_host_does_not_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    State(tmp_path).say(2**22 + 1, {"revision": "v1", "phase": "complete"})
    assert platform.main([str(tmp_path), "status"]) == 1
    assert "the host does not run" in capsys.readouterr().err


def test_metrics_are_prometheus_text():
    metrics = Metrics()
    metrics.observe(200, 0.02)
    metrics.observe(500, 0.7)
    found = {f.name: f for f in text_string_to_metric_families(metrics.text())}
    assert {s.labels["code"]: s.value for s in found["http_requests"].samples} == {"200": 1, "500": 1}
    buckets = {s.labels["le"]: s.value for s in found["http_request_duration_seconds"].samples if "le" in s.labels}
    assert (buckets["0.01"], buckets["0.025"], buckets["0.5"], buckets["+Inf"]) == (0, 1, 1, 2)
    assert found["process_resident_memory_bytes"].samples[0].value > 1e6


def test_the_service_answers_only_what_it_has(stage: CommandStage):
    connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=within(5))
    connection.request("GET", "/nothing")
    assert connection.getresponse().status == 404
    connection.close()
