from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.observe.helm.objects import SINCE, ended, pod, release, running, status, waiting
from watchdog.model.deploy import Phase, Snapshot
from watchdog.observe.helm.manifest import Facts, Hook, Ref
from watchdog.observe.helm.seen import NO_PODS, Seen, changes, glance, snapshot
from watchdog.observe.helm.workloads import Workload

LIMIT = timedelta(minutes=15)
API = Ref("Deployment", "shop", "api")
WELL = {
    "metadata": {"generation": 1},
    "spec": {"replicas": 1},
    "status": {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1},
}
ARRIVING = {**WELL, "status": {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 2}}


def look(seen: Seen, seconds: float = 60) -> Snapshot:
    return snapshot(seen, SINCE + timedelta(seconds=seconds), LIMIT)


def test_a_deployed_release_whose_workloads_are_rolled_out_is_complete():
    facts = Facts(images={"api": "registry.local/team/app:2"})
    found = look(Seen(release(), facts, [Workload(API, WELL, True, [pod(status(running(2)))])]))
    assert (found.name, found.rollout.phase, found.rollout.reason) == ("2", Phase.complete, "")
    assert found.fingerprint == "v2-00000002"
    assert found.images == {"api": "registry.local/team/app:2"}
    assert found.summary == "api: app:2"
    assert [i.service for i in found.instances] == ["api"]
    assert found.busy == ""


def test_deployed_says_helm_but_the_workload_is_still_arriving():
    crashing = pod(status(waiting("CrashLoopBackOff"), ended(3, 9), restarts=1))
    found = look(Seen(release(), Facts(), [Workload(API, ARRIVING, True, [crashing])]))
    assert found.rollout.phase is Phase.arriving
    assert found.rollout.reason == (
        "Deployment/api: 1 replicas of the old version are still there; "
        "container api of pod api-6c8d-x exited with code 3 (2 times so far)"
    )
    assert len(found.exits) == 2


@pytest.mark.parametrize("status_", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_pending_is_arriving_and_busy(status_: str):
    found = look(Seen(release(status=status_), Facts(), [Workload(API, ARRIVING)]))
    assert found.rollout.phase is Phase.arriving
    assert found.rollout.reason == f"revision 2 is {status_}"
    assert found.busy == f"helm {status_[8:]} is pending since 12:00:00 UTC (revision 2)"


def test_pending_past_the_limit_with_nobody_at_work_is_abandoned():
    found = look(Seen(release(status="pending-upgrade"), Facts()), seconds=1000)
    assert found.busy == ""
    assert found.rollout.phase is Phase.arriving
    assert found.rollout.reason == (
        "revision 2 is pending-upgrade since 2026-11-25 12:00:00 UTC, and nobody has worked on it for 16m40s: "
        "the helm upgrade was most likely killed"
    )


@pytest.mark.parametrize("where", ["written", "seen"])
def test_pending_past_the_limit_with_somebody_at_work_is_busy(where: str):
    active = SINCE + timedelta(seconds=900)
    found = (
        Seen(release(status="pending-upgrade", written=900), Facts())
        if where == "written"
        else Seen(release(status="pending-upgrade"), Facts(), active_at=active)
    )
    assert look(found, seconds=1000).busy


def test_a_failed_hook_is_named_with_its_log():
    hook = Hook(Ref("Job", "shop", "migrate"), "pre-upgrade", "Failed")
    told = {"Job/migrate": "container migrate of pod migrate-x exited with code 3; it said last: no column"}
    found = look(Seen(release(status="failed"), Facts(hooks=(hook,)), hook_words=told))
    assert found.rollout.phase is Phase.failed
    assert found.rollout.reason == f"pre-upgrade hook Job/migrate failed: {told['Job/migrate']}"


def test_without_the_hooks_pods_it_is_said_as_helm_does():
    hook = Hook(Ref("Job", "shop", "migrate"), "pre-upgrade", "Failed")
    found = look(Seen(release(status="failed"), Facts(description="BackoffLimitExceeded", hooks=(hook,))))
    assert found.rollout.reason == "pre-upgrade hook Job/migrate failed: BackoffLimitExceeded"


def test_a_failed_release_names_what_is_not_well():
    stuck = pod(status(waiting("ImagePullBackOff", "not found")))
    facts = Facts(description='Upgrade "app" failed: context deadline exceeded')
    found = look(Seen(release(status="failed"), facts, [Workload(API, ARRIVING, True, [stuck])]))
    assert found.rollout.phase is Phase.failed
    assert found.rollout.reason == (
        'revision 2 failed: Upgrade "app" failed: context deadline exceeded; '
        "Deployment/api: 1 replicas of the old version are still there; "
        "container api of pod api-6c8d-x can't be started: ImagePullBackOff (image app:2): not found"
    )


def test_pods_are_named_exactly():
    both = [pod(name="api-1.x"), pod(name="api-2")]
    job = Workload(Ref("Job", "shop", "once"), {}, True, [pod(name="once-1", policy="Never")])
    found = look(Seen(release(), Facts(), [Workload(API, WELL, True, both), job])).pods
    assert found == "api-1[.]x|api-2"
    assert [bool(re.fullmatch(found, name)) for name in ("api-2", "api-22", "api-1-x", "once-1")] == [
        True,
        False,
        False,
        False,
    ]


def test_no_pods_match_nothing_at_all():
    found = look(Seen(release(), Facts(), [Workload(API, WELL)])).pods
    assert found == NO_PODS
    assert not re.fullmatch(found, "")


def test_very_many_pods_are_named_by_their_beginning():
    many = [pod(name=f"api-6c8d-{n:05d}") for n in range(300)]
    for one in many:
        one["metadata"]["generateName"] = "api-6c8d-"
    assert look(Seen(release(), Facts(), [Workload(API, WELL, True, many)])).pods == "api-6c8d-[a-z0-9]+"


def test_an_older_pod_that_was_crashing_before_does_not_count():
    old = pod(status(waiting("CrashLoopBackOff"), ended(1, 5), restarts=9), created=-900)
    seen = Seen(release(), Facts(), [Workload(API, WELL, False, [old])], before={"uid-api-6c8d-x/api": 9})
    assert len(look(seen).exits) == 1
    crashing = pod(status(waiting("CrashLoopBackOff"), ended(1, -5), restarts=9), created=-900)
    assert look(Seen(release(), Facts(), [Workload(API, WELL, False, [crashing])])).exits == ()


@pytest.mark.parametrize(
    ("status_", "phase"),
    [("deployed", Phase.complete), ("failed", Phase.failed), ("pending-upgrade", Phase.arriving)],
)
def test_a_glance_knows_what_the_label_says(status_: str, phase: Phase):
    found = glance(release(status=status_), Facts(brought_back="1"), SINCE, LIMIT)
    assert (found.whole, found.name, found.rollout.phase, found.brought_back) == (False, "2", phase, "1")


def test_an_uninstalled_release_is_nothing():
    assert glance(release(status="uninstalled"), Facts(), SINCE, LIMIT).fingerprint == ""


def test_changes_are_told_by_service():
    before, now = {"api": "r/app:1", "db": "pg:17", "old": "x:1"}, {"api": "r/app:2", "db": "pg:17", "new": "y:1"}
    assert changes(before, now) == "api: app:1 → app:2, new: y:1, old: removed"
    assert changes(now, now) == "api: app:2, db: pg:17, new: y:1"
