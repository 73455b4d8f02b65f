from __future__ import annotations

from datetime import timedelta

import pytest

from tests.observe.helm.objects import SINCE, at, ended, pod, status
from watchdog.observe.helm.manifest import Ref
from watchdog.observe.helm.workloads import Workload, counts, current, matching, rollout, template_since, touched


def deployment(created: float = -500, **status: object) -> dict:
    return {
        "metadata": {
            "uid": "d1",
            "generation": 2,
            "creationTimestamp": at(created),
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "api"}}},
        "status": {"observedGeneration": 2, **status},
    }


def replicaset(revision: str, created: float, owner: str = "d1") -> dict:
    return {
        "metadata": {
            "creationTimestamp": at(created),
            "labels": {"pod-template-hash": f"hash{revision}"},
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"uid": owner, "controller": True}],
        }
    }


SETS = [replicaset("1", -500), replicaset("2", 3), replicaset("2", 3, owner="another")]
ROLLED_OUT = {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}


def state(kind: str, thing: dict | None, changed: bool = True, jobs: tuple = ()) -> str:
    found = rollout(Workload(Ref(kind, "shop", "api"), thing, changed, (), jobs))
    return "failed: " + found.reason if found.failed else found.reason


def test_current_pods_are_those_of_the_newest_replicaset():
    assert current("Deployment", deployment(), SETS) == "pod-template-hash=hash2"


def test_until_the_controller_has_seen_the_change_no_pods_are_current():
    unseen = deployment() | {"status": {"observedGeneration": 1}}
    assert current("Deployment", unseen, SETS) == ""


def test_current_pods_of_a_stateful_set_and_a_daemon_set():
    stateful = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "updateRevision": "db-77"}}
    assert current("StatefulSet", stateful, []) == "controller-revision-hash=db-77"
    annotations = {"deprecated.daemonset.template.generation": "4"}
    daemon = {"metadata": {"generation": 5, "annotations": annotations}, "status": {"observedGeneration": 5}}
    assert current("DaemonSet", daemon, []) == "pod-template-generation=4"


def test_touched_by_a_newer_replicaset():
    assert touched(deployment(), SETS, SINCE)
    older = [replicaset("2", -100)]
    assert not touched(deployment(), older, SINCE)


@pytest.mark.parametrize(
    ("fields", "subresource", "seconds", "is_touched"),
    [
        ({"f:spec": {"f:template": {}}}, "", 2, True),
        ({"f:spec": {"f:template": {}}}, "", -2, False),
        ({"f:spec": {"f:replicas": {}}}, "scale", 2, False),  # an autoscaler
        ({"f:status": {}}, "status", 2, False),
    ],
)
def test_touched_by_who_owns_the_template(fields: dict, subresource: str, seconds: float, is_touched: bool):
    thing = deployment()
    entry = {"time": at(seconds), "fieldsV1": fields, "subresource": subresource}
    thing["metadata"]["managedFields"] = [entry]
    assert touched(thing, [replicaset("2", -100)], SINCE) is is_touched


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ROLLED_OUT, ""),
        ({}, "Deployment/api: 0 of 2 replicas are of the new version"),
        ({"updatedReplicas": 2, "replicas": 3}, "Deployment/api: 1 replicas of the old version are still there"),
        ({"updatedReplicas": 2, "replicas": 2}, "Deployment/api: 0 of 2 new replicas are available"),
        ({"observedGeneration": 1}, "Deployment/api: its controller has not seen the change yet"),
    ],
)
def test_a_deployment_is_judged_as_kubectl_does(status: dict, reason: str):
    assert state("Deployment", deployment(**status)) == reason


def test_a_missed_progress_deadline_is_a_failure_of_who_changed_it():
    late = deployment(updatedReplicas=1, conditions=[{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}])
    words = "Deployment/api: it exceeded its progress deadline; 1 of 2 replicas are of the new version"
    assert state("Deployment", late) == f"failed: {words}"
    assert state("Deployment", late, changed=False) == words


@pytest.mark.parametrize(("seconds", "failed"), [(2, True), (1, False), (-300, False)])
def test_a_deadline_that_the_version_before_missed_is_not_the_new_ones(seconds: float, failed: bool):
    missed = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": at(seconds)}
    thing = deployment(updatedReplicas=2, replicas=2, conditions=[missed])
    thing["metadata"]["managedFields"] = [{"time": at(1), "fieldsV1": {"f:spec": {"f:template": {}}}}]
    assert state("Deployment", thing).startswith("failed: ") is failed


@pytest.mark.parametrize(
    ("spec", "status", "reason"),
    [
        ({}, {"readyReplicas": 1, "updateRevision": "b", "currentRevision": "b"}, ""),
        ({}, {"updateRevision": "b"}, "StatefulSet/api: 0 of 1 replicas are ready"),
        (
            {},
            {"readyReplicas": 1, "updateRevision": "b", "currentRevision": "a"},
            "StatefulSet/api: 0 of 1 replicas are of the new version",
        ),
        ({"updateStrategy": {"type": "OnDelete"}}, {}, ""),
        (
            {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
            {"readyReplicas": 3, "updatedReplicas": 1, "updateRevision": "b", "currentRevision": "a"},
            "",
        ),
    ],
)
def test_a_stateful_set_is_judged_as_kubectl_does(spec: dict, status: dict, reason: str):
    assert state("StatefulSet", {"spec": spec, "status": status}) == reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}, ""),
        ({"desiredNumberScheduled": 2}, "DaemonSet/api: 0 of 2 pods are of the new version"),
        ({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2}, "DaemonSet/api: 0 of 2 pods are available"),
    ],
)
def test_a_daemon_set_is_judged_as_kubectl_does(status: dict, reason: str):
    assert state("DaemonSet", {"status": status}) == reason


def test_a_job_that_runs_is_not_waited_for_and_one_that_failed_is_a_failure():
    failed = {"status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}}
    assert state("Job", {"status": {"active": 1}}) == ""
    assert state("Job", failed, jobs=(failed,)) == "failed: Job/api failed: BackoffLimitExceeded"
    assert state("Job", failed) == "", "it failed before this revision"


def test_a_workload_that_is_not_there():
    assert state("Deployment", None) == "Deployment/api is not there"


@pytest.mark.parametrize(
    "gone",
    [
        {"status": {"reason": "Evicted"}},
        {"status": {"reason": "NodeLost"}},
        {"status": {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}},
        {"metadata": {"deletionTimestamp": at(3)}},  # a rollout, a scale-down, a person
        pod(status(ended(0, 3, "Completed")), phase="Succeeded"),  # evicted, and ended in good order
        pod(status(ended(137, 3)), phase="Failed"),
    ],
)
def test_a_pod_that_was_taken_away_says_nothing_about_its_version(gone: dict):
    assert not counts(gone)
    assert counts(pod())


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_jobs_pod_that_is_over_counts(phase: str):
    assert counts(pod(status(ended(1, 3)), policy="Never", phase=phase))


def test_selectors():
    thing = {
        "spec": {
            "selector": {
                "matchLabels": {"b": "2", "a": "1"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["x", "y"]},
                    {"key": "old", "operator": "DoesNotExist"},
                ],
            }
        }
    }
    assert matching(thing) == "a=1,b=2,tier in (x,y),!old"


def cron_job(*written: tuple[str, float]) -> dict:
    entries = [{"time": at(seconds), "fieldsV1": {"f:spec": {field: {}}}} for field, seconds in written]
    return {"metadata": {"uid": "c1", "creationTimestamp": at(-500), "managedFields": entries}}


def test_a_cron_job_is_touched_when_its_template_is_written():
    assert touched(cron_job(("f:jobTemplate", 2)), [], SINCE)
    assert not touched(cron_job(("f:jobTemplate", -2), ("f:suspend", 2)), [], SINCE)


@pytest.mark.parametrize(
    ("written", "since"),
    [
        ((("f:jobTemplate", 7),), 7),  # after the hooks, say: what it began before is of the older template
        ((("f:jobTemplate", -7),), 0),  # the revision left it as it was: all since the revision count
        ((("f:jobTemplate", 3), ("f:jobTemplate", 90)), 90),  # somebody edited it later
        ((("f:suspend", 7),), 0),
    ],
)
def test_a_cron_jobs_template_is_the_current_one_since_it_was_written(written: tuple, since: float):
    assert template_since(cron_job(*written), SINCE) == SINCE + timedelta(seconds=since)
