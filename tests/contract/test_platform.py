"""The promises of observe/base.py, asked of every platform."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from tests.contract.worlds import Case
from tests.waiting import wait_until
from watchdog.errors import Refused, Unavailable
from watchdog.model.deploy import Phase, Recorded, Snapshot
from watchdog.testing import EPOCH


def look(case: Case) -> Snapshot:
    return case.platform().snapshot(case.target, EPOCH)


def test_a_snapshot_is_of_the_moment_it_was_asked_for(case: Case) -> None:
    seen = look(case)
    assert seen.at == EPOCH
    assert seen.rollout.phase is Phase.complete
    assert [i.service for i in seen.instances] == ["api"]
    assert seen.exits == ()


def test_the_fingerprint_is_that_of_the_revision(case: Case) -> None:
    first = look(case)
    assert first.fingerprint
    assert look(case).fingerprint == first.fingerprint, "another process sees the same"
    case.crash()
    crashed = look(case)
    assert crashed.fingerprint == first.fingerprint, "a restart is no deploy"
    assert len(crashed.exits) == 1
    case.deploy("v2")
    second = look(case)
    assert second.fingerprint != first.fingerprint
    assert second.exits == (), "the crashes of another revision are not its own"
    case.deploy("v1")
    assert look(case).fingerprint == first.fingerprint, "the same revision again has the same"


def test_a_recording_is_a_plain_document(case: Case) -> None:
    recorded = case.platform().record(case.target, look(case), None)
    assert Recorded.model_validate_json(recorded.model_dump_json()) == recorded
    assert recorded.exact


def test_evidence_is_kept(case: Case) -> None:
    items = case.platform().evidence(case.target, look(case))
    assert any(item.kind == "logs" and "log" in item.text for item in items)
    assert not any("hunter2000" in item.text for item in items), "secrets are masked"


def test_history_is_bounded(case: Case) -> None:
    for name in ("v2", "v3", "v4"):
        case.deploy(name)
    assert len(case.platform().history(case.target, 2)) <= 2


def test_nothing_is_missing(case: Case) -> None:
    assert [line for line in case.platform().check(case.target) if not line.startswith("note:")] == []


def test_one_that_does_not_answer_says_why(case: Case) -> None:
    case.break_it()
    with pytest.raises((Unavailable, Refused), match="it does not answer"):
        look(case)
    assert any("it does not answer" in line for line in case.platform().check(case.target))


def test_reading_changes_nothing(case: Case) -> None:
    platform, seen = case.platform(), look(case)
    platform.record(case.target, seen, None)
    platform.evidence(case.target, seen)
    platform.history(case.target, 10)
    platform.check(case.target)
    assert (case.running(), case.acts()) == ("v1", 0)


def test_it_wakes_when_something_happens_until_it_is_stopped(case: Case) -> None:
    before, woken = set(threading.enumerate()), Counter[str]()

    def wake(name: str) -> None:
        woken[name] += 1

    platform = case.platform()
    platform.start([case.target], wake)
    try:
        for happens in (lambda: case.deploy("v2"), case.crash, lambda: case.deploy("v3")):
            known = woken["shop"]
            happens()
            wait_until(lambda: woken["shop"] > known, "it wakes")  # noqa: B023 -- called at once
    finally:
        platform.stop()
    wait_until(lambda: set(threading.enumerate()) <= before, "its threads to end: nothing goes on")
    known = woken["shop"]
    case.deploy("v4")
    assert woken["shop"] == known
    platform.start([case.target], wake)
    platform.stop()
