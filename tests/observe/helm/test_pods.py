from __future__ import annotations

from datetime import timedelta

import pytest

from tests.observe.helm.objects import SINCE, at, ended, pod, running, status, waiting
from watchdog.model.deploy import Exit, Instance
from watchdog.observe.helm import pods as read


def exits(found: dict, seconds: float = 60, before: int | None = None, words: str = "") -> list[Exit]:
    out = []
    for c in read.containers("api", found):
        count = read.ends_before(c, SINCE) if before is None else before
        out += read.exits(c, SINCE, count, SINCE + timedelta(seconds=seconds), words)
    return out


def instances(found: dict, seconds: float = 60) -> list[Instance]:
    return list(read.instances(read.containers("api", found), SINCE + timedelta(seconds=seconds)))


FIRST, SECOND = ended(3, 5), ended(4, 9)


@pytest.mark.parametrize(
    ("told", "count"),
    [
        (status(running(2)), 0),
        (status(FIRST), 1),  # not restarted yet
        (status(running(6), FIRST, restarts=1), 1),
        (status(SECOND, FIRST, restarts=1), 2),
        (status(waiting("CrashLoopBackOff"), SECOND, restarts=1), 2),
        (status(running(20), SECOND, restarts=2), 2),
        (status(waiting("CrashLoopBackOff"), SECOND, restarts=6), 7),
    ],
)
def test_a_crash_loop_is_counted_as_the_kubelet_tells_of_it(told: dict, count: int):
    assert len(exits(pod(told))) == count


def test_an_exit_says_which_container_of_which_pod_with_its_last_words():
    (exit_,) = exits(pod(status(waiting("CrashLoopBackOff"), ended(3, 5))), words="no database")
    assert exit_ == Exit(
        instance="uid-api-6c8d-x/api",
        service="api",
        at=SINCE + timedelta(seconds=5),
        exit_code=3,
        reason="container api of pod api-6c8d-x exited with code 3; it said last: no database",
    )


def test_the_termination_message_goes_before_the_log():
    (exit_,) = exits(pod(status(ended(1, 5, message="bad config\n"))), words="the log")
    assert exit_.reason.endswith("; it said last: bad config")


def test_out_of_memory():
    (exit_,) = exits(pod(status(running(6), ended(137, 5, "OOMKilled"), restarts=1)))
    assert exit_.oom_killed
    assert exit_.reason == "container api of pod api-6c8d-x was killed: out of memory"


def test_code_0_counts_where_kubernetes_restarts_it_and_not_in_a_job():
    done = status(ended(0, 5, "Completed"))
    assert len(exits(pod(done))) == 1
    assert exits(pod(done, policy="Never")) == []
    assert len(exits(pod(status(ended(1, 5)), policy="Never"))) == 1


def test_a_restart_of_the_node_is_no_crash():
    assert exits(pod(status(running(6), ended(255, 5, "Unknown"), restarts=1))) == []


def test_what_ended_before_the_revision_came_does_not_count():
    old = status(running(-50), ended(1, -60), restarts=4)
    assert exits(pod(old, created=-1000)) == []


def test_an_older_pod_counts_from_the_revision_on():
    before = pod(status(running(-9000), ended(1, -9001), restarts=4), created=-10_000)
    (c,) = read.containers("worker", before)
    known = read.ends_before(c, SINCE)
    assert known == 4
    after = pod(status(waiting("CrashLoopBackOff"), ended(1, 30), restarts=5), created=-10_000)
    assert len(exits(after, before=known)) == 2


def test_an_older_pod_that_was_crashing_already_says_nothing():
    crashing = pod(status(waiting("CrashLoopBackOff"), ended(1, -30), restarts=9), created=-1000)
    (c,) = read.containers("api", crashing)
    known = read.ends_before(c, SINCE)
    later = pod(status(waiting("CrashLoopBackOff"), ended(1, 30), restarts=10), created=-1000)
    assert exits(later, before=known) == []


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError", "ErrImageNeverPull"]
)
def test_what_cannot_be_started_has_failed_twice_after_twenty_seconds(reason: str):
    stuck = pod(status(waiting(reason, "no such thing")))
    assert [len(exits(stuck, seconds)) for seconds in (0, 5, 22)] == [0, 1, 2]
    said = exits(stuck)[0].reason
    assert said.startswith(f"container api of pod api-6c8d-x can't be started: {reason}")
    assert "no such thing" in said
    assert [i.state for i in instances(stuck)] == ["restarting"]


def test_creating_is_no_trouble():
    fresh = pod(status(waiting("ContainerCreating")))
    assert exits(fresh) == []
    assert [i.state for i in instances(fresh)] == ["created"]
    assert read.trouble(read.containers("api", fresh), SINCE) == ""


def test_a_pod_without_a_node_is_said_to_be_so():
    why = "0/1 nodes are available: 1 Insufficient cpu."
    pending = pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}])
    assert read.trouble(read.containers("api", pending), SINCE) == f"pod api-6c8d-x can't be scheduled: {why}"
    assert [i.state for i in instances(pending)] == ["created"]
    assert exits(pending) == []


PROBED = [{"name": "api", "readinessProbe": {"periodSeconds": 5, "failureThreshold": 3, "initialDelaySeconds": 10}}]


@pytest.mark.parametrize(
    ("ready", "seconds", "health"),
    [(True, 5, "healthy"), (False, 20, "starting"), (False, 40, "unhealthy")],
)
def test_health_is_the_readiness_probe_with_all_its_attempts(ready: bool, seconds: float, health: str):
    found = pod(status(running(1), ready=ready), containers=PROBED)
    assert [i.health for i in instances(found, seconds)] == [health]


def test_a_startup_probe_gives_more_time():
    slow = [{**PROBED[0], "startupProbe": {"periodSeconds": 10, "failureThreshold": 30}}]
    assert [i.health for i in instances(pod(status(running(1), ready=False), containers=slow), 200)] == ["starting"]


def test_without_a_probe_there_is_no_health():
    assert [i.health for i in instances(pod(status(running(1), ready=True)))] == ["none"]


def test_several_containers_are_several_services():
    both = pod(
        status(running(1)), {**status(running(1)), "name": "proxy"}, containers=[{"name": "api"}, {"name": "proxy"}]
    )
    assert [i.service for i in instances(both)] == ["api/api", "api/proxy"]


def test_an_init_container_is_shown_while_it_is_not_done():
    def with_init(state: dict, last: dict | None = None, restarts: int = 0) -> dict:
        told = {**status(state, last, restarts), "name": "wait"}
        return pod(status(waiting("PodInitializing")), init=[{"name": "wait"}], init_statuses=[told])

    assert [i.service for i in instances(with_init(ended(0, 3, "Completed")))] == ["api"]
    assert exits(with_init(ended(0, 3, "Completed"))) == []
    failing = with_init(waiting("CrashLoopBackOff"), ended(1, 9), restarts=1)
    assert [(i.service, i.state) for i in instances(failing)] == [("api/wait", "restarting"), ("api", "created")]
    assert [e.service for e in exits(failing)] == ["api/wait", "api/wait"]


def test_the_image_is_an_id():
    found = pod(status(running(1), imageID="docker.io/app@sha256:ab12"))
    assert [i.image for i in instances(found)] == ["sha256:ab12"]


def test_times_are_those_of_the_api():
    assert read.created(pod(created=7)).isoformat() == at(7)
