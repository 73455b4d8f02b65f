"""Pods that are older than the revision, since it did not change their template: only what is new counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.releases import Release
from watchdog.model.deploy import Exit
from watchdog.observe.helm.manifest import Facts, Ref
from watchdog.observe.helm.memory import Memory
from watchdog.observe.helm.seen import Seen, snapshot
from watchdog.observe.helm.workloads import Workload

DEPLOYED = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=15)
REF = Ref("Deployment", "shop", "db")
RELEASE = Release("shop", "app", 7, "deployed", "uid-7", created=DEPLOYED, modified=DEPLOYED)


class NoLogs:
    """A cluster whose logs say nothing."""

    def text(self, *_: object) -> str:
        return ""


def text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(restarts: int, ended: datetime | None, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """A pod that was made a day before, with its restarts and its last end."""
    last = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": text(ended)}} if ended else {}
    status = {
        "name": "db",
        "restartCount": restarts,
        "state": state or {"running": {"startedAt": text(ended or DEPLOYED)}},
        "lastState": last,
    }
    return {
        "metadata": {"name": "db-1", "uid": "u1", "creationTimestamp": text(DEPLOYED - timedelta(days=1))},
        "spec": {"containers": [{"name": "db", "image": "db:1"}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


@pytest.fixture
def memory() -> Memory:
    return Memory()


def exits(memory: Memory, found: dict[str, Any], now: datetime) -> tuple[Exit, ...]:
    """What a snapshot that sees this pod tells."""
    seen = Seen(RELEASE, Facts(), [Workload(REF, {"spec": {}}, pods=[found])])
    seen = memory.complete("app", cast("Cluster", NoLogs()), seen, now)
    return snapshot(seen, now, LIMIT).exits


def test_restarts_from_before_the_deploy_do_not_count(memory: Memory):
    assert exits(memory, pod(9, DEPLOYED - timedelta(hours=5)), DEPLOYED) == ()


def test_a_pod_that_crashed_long_ago_and_crashes_now_counts_each_time(memory: Memory):
    exits(memory, pod(9, DEPLOYED - timedelta(hours=5)), DEPLOYED)
    first = DEPLOYED + timedelta(seconds=30)
    assert [e.at for e in exits(memory, pod(10, first), first)] == [first]
    second = first + timedelta(seconds=30)
    assert len(exits(memory, pod(11, second), second)) == 2


def test_a_pod_that_crashed_once_shortly_before_still_counts_when_it_crashes_after(memory: Memory):
    exits(memory, pod(1, DEPLOYED - timedelta(minutes=40)), DEPLOYED)
    again = DEPLOYED + timedelta(seconds=30)
    assert len(exits(memory, pod(2, again), again)) == 1


def test_a_pod_that_was_in_a_crash_loop_before_says_nothing_when_it_goes_on_crashing(memory: Memory):
    backing_off = {"waiting": {"reason": "CrashLoopBackOff"}}
    assert exits(memory, pod(5, DEPLOYED - timedelta(minutes=3), backing_off), DEPLOYED) == ()
    for number in (6, 7, 8):
        at = DEPLOYED + timedelta(minutes=number)
        assert exits(memory, pod(number, at, backing_off), at) == ()
