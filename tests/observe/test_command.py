"""A platform made of programs: what they print is read strictly, and a program that misbehaves harms nobody else."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.command_target import Programs
from tests.waiting import wait_until, within
from watchdog.errors import Unavailable
from watchdog.model.deploy import Phase, Revision
from watchdog.model.target import ComposeSpec, Target
from watchdog.observe.command import CommandPlatform

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG = timedelta(hours=1)
"""Longer than any test waits."""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def test_the_least_a_status_says(programs):
    snapshot = CommandPlatform().snapshot(programs.target(), NOW)
    assert (snapshot.at, snapshot.fingerprint, snapshot.name) == (NOW, "v1", "v1")
    assert snapshot.rollout.phase is Phase.complete


def test_all_that_a_status_can_say(programs):
    programs.status(
        revision="v2",
        phase="failed",
        reason="migration failed",
        summary="v1 → v2",
        instances=[
            {
                "id": "101", "service": "api", "name": "api-1", "image": "sha256:1", "state": "restarting",
                "health": "unhealthy", "exit_code": 1, "restarts": 3, "one_shot": False, "ended_abnormally": True,
                "started_at": "2026-01-01T00:00:00Z",
            },
            {"id": "102", "service": "web"},
        ],
        exits=[
            {"instance": "101", "service": "api", "at": "2026-01-01T00:00:05+01:00", "exit_code": 137},
            {"instance": "101", "service": "api", "at": "2025-12-31T22:00:00Z", "reason": "segfault"},
        ],
    )  # fmt: skip
    snapshot = CommandPlatform().snapshot(programs.target(), NOW)
    assert (snapshot.rollout.phase, snapshot.rollout.reason, snapshot.summary) == (
        "failed", "migration failed", "v1 → v2",
    )  # fmt: skip
    assert [(i.name, i.state, i.ended_abnormally) for i in snapshot.instances] == [
        ("api-1", "restarting", True),
        ("102", "running", False),
    ]
    assert snapshot.images == {"api": "sha256:1"}
    assert [one.reason or one.exit_code for one in snapshot.exits] == ["segfault", 137]  # oldest first


def test_queries_find_the_instances_by_name(programs):
    instances = [
        {"id": "101", "service": "api", "name": "api.1"},
        {"id": "102", "service": "web"},
        {"id": "103", "service": "migrate", "one_shot": True},
    ]
    programs.status(revision="v2", phase="complete", instances=instances)
    pods = CommandPlatform().snapshot(programs.target(), NOW).pods
    assert [name for name in ("api.1", "102", "103", "api.10", "") if re.fullmatch(pods, name)] == ["api.1", "102"]
    assert "\\" not in pods  # it becomes part of a quoted text


def test_nothing_runs(programs):
    programs.status(revision="", phase="complete")
    snapshot = CommandPlatform().snapshot(programs.target(), NOW)
    assert (snapshot.fingerprint, snapshot.name) == ("", None)


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("", "JSON"),
        ("v1", "JSON"),
        ('{"revision": "v1"', "JSON"),
        ('{"revision": "v1"}', 'phase: Field required; it printed \'{"revision": "v1"}\''),
        ('{"revision": 3, "phase": "complete"}', "revision"),
        ('{"revision": "v1", "phase": "done"}', "phase: Input should be 'arriving', 'complete' or 'failed'"),
        ('{"revision": "--force", "phase": "complete"}', "revision"),
        ('{"revision": "a b", "phase": "complete"}', "revision"),
        ('{"revision": "v1", "phase": "complete", "oom": 1}', "oom: Extra inputs are not permitted"),
        ('{"revision": "v1", "phase": "complete", "instances": [{"id": "1"}]}', "instances.0.service: Field required"),
        (
            '{"revision": "v1", "phase": "failed", "exits": [{"instance": "1", "service": "a", "at": "2026-01-01T00:00"}]}',  # noqa: E501
            "exits.0.at: Input should have timezone info",
        ),
        ("[1]", "object"),
        ("null", "object"),
        ('{"DB_PASSWORD": "hunter2"}', '"DB_PASSWORD": "***"'),
    ],
)
def test_a_status_that_is_none_says_what_was_printed_and_expected(programs, printed, words):
    programs.prints("status", printed)
    with pytest.raises(Unavailable) as caught:
        CommandPlatform().snapshot(programs.target(), NOW)
    assert words in str(caught.value)
    assert "the status command" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.exit('no such unit')", "exited with code 1: no such unit"),
        ("print('{}'); sys.exit(3)", "exited with code 3"),
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("print('x' * 3_000_000)", "printed more than 1 MiB"),
        ("sys.exit('token=hunter2')", "token=***"),
    ],
)
def test_a_status_that_fails(programs, code, words):
    programs.does("status", code)
    with pytest.raises(Unavailable, match="the status command") as caught:
        CommandPlatform().snapshot(programs.target(), NOW)
    assert words in str(caught.value)


def test_a_status_that_hangs(programs):
    programs.does("status", "time.sleep(60)")
    with pytest.raises(Unavailable, match="did not finish in time"):
        CommandPlatform().snapshot(programs.target(timeout=timedelta(seconds=0.5)), NOW)


def test_a_status_that_is_not_there(programs):
    target = programs.target()
    missing = target.model_copy(update={"spec": target.spec.model_copy(update={"status": ("/no/such/status",)})})
    with pytest.raises(Unavailable, match="no such program"):
        CommandPlatform().snapshot(missing, NOW)


def test_braces_in_the_reading_programs_are_left_alone(programs):
    """`docker inspect --format {{.Id}}` is nobody's template."""
    target = programs.target()
    status = (*target.spec.status, "{{.Id}}")
    CommandPlatform().snapshot(
        target.model_copy(update={"spec": target.spec.model_copy(update={"status": status})}), NOW
    )
    assert programs.calls("status") == [["{{.Id}}"]]


def test_history(programs):
    programs.history("v3", "v2", "v1")
    assert CommandPlatform().history(programs.target(), 2) == ("v3", "v2")
    programs.prints("history", '{"v1": 1}')
    with pytest.raises(Unavailable, match="must print a list of revisions, newest first"):
        CommandPlatform().history(programs.target(), 2)


def test_record_is_exact_and_holds_the_status(programs):
    platform, target = CommandPlatform(), programs.target()
    previous = Revision(target="shop", id="v0", fingerprint="v0", seen_at=NOW)
    recorded = platform.record(target, platform.snapshot(target, NOW), previous)
    assert (recorded.exact, recorded.summary) == (True, "v0 → v1")
    assert recorded.recorded["status"]["name"] == "v1"
    json.dumps(recorded.recorded)


def test_evidence_is_the_status_and_the_end_of_the_logs(programs):
    programs.does("logs", "print('API_KEY=hunter2hunter2'); print('x' * 500_000); print('the reason', file=sys.stderr)")
    platform, target = CommandPlatform(), programs.target()
    items = {item.name: item for item in platform.evidence(target, platform.snapshot(target, NOW))}
    assert '"name": "v1"' in items["status"].text
    assert items["logs"].truncated
    assert items["logs (stderr)"].text == "the reason\n"
    assert "hunter2" not in str(items)


def test_logs_that_fail_do_not_lose_the_rest(programs):
    programs.does("logs", "print('a line'); sys.exit('no journal')")
    platform, target = CommandPlatform(), programs.target()
    items = platform.evidence(target, platform.snapshot(target, NOW))
    assert [(item.kind, item.name) for item in items] == [
        ("state", "status"), ("logs", "logs"), ("logs", "logs (stderr)"), ("note", "logs"),
    ]  # fmt: skip
    assert "exited with code 1: no journal" in items[-1].text


def test_check(programs):
    platform, target = CommandPlatform(), programs.target()
    assert platform.check(target) == []
    programs.history("v0")
    assert platform.check(target) == ["note: history does not list the revision that runs, 'v1'"]
    programs.prints("history", "?")
    assert "the history command" in platform.check(target)[0]
    assert programs.calls("rollback") == programs.calls("logs") == []

    def changed(**update):
        return target.model_copy(update={"spec": target.spec.model_copy(update=update)})

    programs.history("v1")
    assert platform.check(changed(directory="/no/such")) == ["the directory '/no/such' does not exist"]
    first, second = platform.check(changed(rollback=("no-such-program", "x")))
    assert first == "the rollback program 'no-such-program' was not found, or is not executable"
    assert second.startswith("note: rollback does not use {{ revision }}")


class Wakes:
    """What woke, and a bounded wait for more."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.changed = threading.Condition()

    def __call__(self, name: str) -> None:
        with self.changed:
            self.names.append(name)
            self.changed.notify_all()

    def wait(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.names) >= count, timeout=within(20))


def polled(programs: Programs, times: int) -> None:
    """Until `status` was asked that many times more."""
    wanted = len(programs.calls("status")) + times
    wait_until(lambda: len(programs.calls("status")) >= wanted, f"{times} more calls of status", seconds=20)


def nobody_polls() -> bool:
    return not any(thread.name == "poll shop" for thread in threading.enumerate())


def test_changes_wake_and_nothing_else_does(programs):
    platform, wakes = CommandPlatform(), Wakes()
    platform.start([programs.target()], wakes)
    try:
        assert wakes.wait(1)  # the first answer: a deploy may have come just before
        polled(programs, 3)
        assert len(wakes.names) == 1
        programs.status(revision="v2", phase="arriving")
        assert wakes.wait(2)
        programs.does("status", "sys.exit(1)")
        polled(programs, 2)
        programs.status(revision="v2", phase="complete")
        assert wakes.wait(3)
        exits = [{"instance": "1", "service": "api", "at": "2026-01-01T00:00:00Z"}]
        programs.status(revision="v2", phase="complete", exits=exits)
        assert wakes.wait(4)
        polled(programs, 2)
        assert wakes.names == ["shop"] * 4
    finally:
        platform.stop()
    wait_until(nobody_polls, "the polling to end")
    asked = len(programs.calls("status"))
    assert len(programs.calls("status")) == asked


def test_stop_ends_a_program_that_hangs_and_start_works_again(programs):
    platform, wakes = CommandPlatform(), Wakes()
    programs.does("status", "(here / 'pid').write_text(str(os.getpid())); time.sleep(900)")
    platform.start([programs.target(timeout=LONG)], wakes)
    try:
        polled(programs, 1)
    finally:
        platform.stop()
    wait_until(nobody_polls, "the polling to end")
    programs.status(revision="v2", phase="complete")
    platform.start([programs.target()], wakes)
    try:
        assert wakes.wait(1)
    finally:
        platform.stop()


def test_one_hanging_target_does_not_delay_another(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    hanging, fine = Programs(tmp_path / "a"), Programs(tmp_path / "b")
    hanging.does("status", "time.sleep(900)")
    platform, wakes = CommandPlatform(), Wakes()
    platform.start([hanging.target(LONG, name="a"), fine.target(name="b")], wakes)
    try:
        assert wakes.wait(1)
        fine.status(revision="v2", phase="complete")
        assert wakes.wait(2)
        assert wakes.names == ["b", "b"]
    finally:
        platform.stop()


def test_another_platform_is_a_mistake_of_ours():
    target = Target(name="x", spec=ComposeSpec(project="x", directory="/x"))
    with pytest.raises(TypeError):
        CommandPlatform().snapshot(target, NOW)
