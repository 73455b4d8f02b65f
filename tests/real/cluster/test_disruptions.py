"""What a cluster does to pods without any fault of their version: none of it is a crash, on the real node."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.real.cluster.cluster import CHART, PROGRAMS, Cluster, kill_group
from tests.real.cluster.guarded import deploy, guarding
from tests.real.daemon import Daemon
from tests.waiting import wait_until, within
from watchdog.errors import Refused, Unavailable
from watchdog.model.deploy import Phase, Snapshot
from watchdog.model.measurement import Measurement, Verdict
from watchdog.model.target import HelmSpec, Target
from watchdog.model.watch import WatchState
from watchdog.observe.helm.platform import HelmPlatform

TAINT = "test.local/gone"
"""As the node controller's own `node.kubernetes.io/unreachable:NoExecute`, which waits for minutes."""

HEAVY = """
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {{name: "{name}"}}
value: 1000
---
apiVersion: v1
kind: Pod
metadata: {{name: heavy}}
spec:
  priorityClassName: "{name}"
  terminationGracePeriodSeconds: 0
  containers: [{{name: heavy, image: "local.test/pause:1", resources: {{requests: {{cpu: "{cpu}"}}}}}}]
"""


class Look:
    """Snapshots of the release `app`, all of them kept."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.platform = HelmPlatform()
        self.seen: list[Snapshot] = []
        where = {"kubeconfig": str(cluster.kubeconfig), "helm": str(PROGRAMS / "helm3")}
        self._target = Target(name="app", spec=HelmSpec(release="app", namespace=namespace, **where))

    def __call__(self) -> Snapshot:
        self.seen.append(self.platform.snapshot(self._target, datetime.now(UTC)))
        return self.seen[-1]

    def until(self, true: Callable[[Snapshot], object], what: str, seconds: float = 50) -> Snapshot:
        """Look until it is true; on failure say what was seen last."""
        try:
            wait_until(lambda: true(self()), what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; last seen: {self.seen[-1].model_dump_json(indent=1)}") from None
        return self.seen[-1]

    def until_whole(self) -> Snapshot:
        """Until the rollout is complete, and all that should run does."""
        return self.until(
            lambda s: s.rollout.phase is Phase.complete and [i.state for i in s.instances] == ["running"] * 2,
            "a complete rollout with a pod of each workload",
        )

    @contextlib.contextmanager
    def all_the_while(self) -> Iterator[None]:
        """Look again and again until the block is over."""
        over = threading.Event()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                while not over.wait(0.1):
                    self()
            except (Refused, Unavailable) as error:
                failed.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(within(30))
        assert not failed, failed


@pytest.fixture
def look(cluster: Cluster, namespace: str) -> Iterator[Look]:
    made = Look(cluster, namespace)
    yield made
    made.platform.stop()


def _pods(cluster: Cluster, namespace: str, *labels: str) -> set[str]:
    found = cluster.get("pods", "-n", namespace, "-l", f"app in ({','.join(labels)})")["items"]
    return {pod["metadata"]["uid"] for pod in found}


def evict(cluster: Cluster, namespace: str) -> None:
    """As `kubectl drain` does."""
    for pod in cluster.pods(namespace):
        if pod["metadata"].get("deletionTimestamp"):  # of the version before; it may be gone at any moment
            continue
        name = pod["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


def preempt(cluster: Cluster, namespace: str) -> None:
    """A pod of a higher priority, for which there is room on the node only when the others are gone."""
    (node,) = cluster.get("nodes")["items"]
    before = _pods(cluster, namespace, "app")  # the other workload's asks for nothing, and may stay
    cluster.apply(HEAVY.format(name=namespace, cpu=node["status"]["allocatable"]["cpu"]), namespace)
    try:
        wait_until(lambda: not before & _pods(cluster, namespace, "app"), "the pod to be preempted")
        told = cluster.kubectl("get", "events", "-n", namespace, "--field-selector", "reason=Preempted")
        assert "Preempted by" in told
    finally:
        cluster.kubectl("delete", "pod", "heavy", "-n", namespace, "--force", "--grace-period=0", check=False)
        cluster.kubectl("delete", "priorityclass", namespace, check=False)


def lose_the_node(cluster: Cluster, namespace: str) -> None:
    """What the loss of a node leads to: its pods are removed because of a NoExecute taint."""
    before = _pods(cluster, namespace, "app", "app-db")
    cluster.kubectl("taint", "nodes", "--all", f"{TAINT}=yes:NoExecute")
    try:
        wait_until(lambda: not before & _pods(cluster, namespace, "app", "app-db"), "the pods to be removed")
    finally:
        cluster.kubectl("taint", "nodes", "--all", f"{TAINT}-", check=False)


def fill_the_disk(cluster: Cluster, namespace: str) -> None:
    """The kubelet evicts by itself, for want of room: the pod stays, and is over. Where its program ends with 0 when it
    is asked to, as here, it is said to have succeeded, and nothing tells of the eviction but an event."""
    found = cluster.get("pods", "-n", namespace, "-l", "app=app")["items"]
    (name,) = [pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp")]
    fill = ("/bin/busybox", "dd", "if=/dev/zero", "of=/tmp/full", "bs=1M", "count=64")
    cluster.kubectl("exec", name, "-n", namespace, "--", *fill)
    where = ("pod", name, "-n", namespace)
    wait_until(lambda: cluster.get(*where)["status"]["phase"] in {"Succeeded", "Failed"}, "the kubelet's eviction")
    events = ("get", "events", "-n", namespace, "--field-selector", f"reason=Evicted,involvedObject.name={name}")
    assert "exceeds the total limit of containers" in cluster.kubectl(*events)


def scale(cluster: Cluster, namespace: str) -> None:
    """Up and down, as a HorizontalPodAutoscaler does."""
    for replicas in ("3", "1"):
        cluster.kubectl("scale", "deployment/app", "-n", namespace, f"--replicas={replicas}")
        cluster.kubectl("rollout", "status", "deployment/app", "-n", namespace, "--timeout=400s")


def restart(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("rollout", "restart", "deployment/app", "statefulset/app-db", "-n", namespace)
    for workload in ("deployment/app", "statefulset/app-db"):
        cluster.kubectl("rollout", "status", workload, "-n", namespace, "--timeout=400s")


VALUES = ("database=true", "diskLimit=32Mi")
DISRUPTIONS = (evict, preempt, lose_the_node, scale, restart, fill_the_disk)


@pytest.mark.alone
@pytest.mark.parametrize("disrupt", DISRUPTIONS, ids=lambda one: one.__name__)
def test_it_is_no_crash(cluster: Cluster, namespace: str, look: Look, disrupt: Callable[[Cluster, str], None]):
    deploy(cluster, namespace, *VALUES, wait=True)
    deploy(cluster, namespace, *VALUES, "note=two", wait=True)
    whole = look.until_whole()
    before = {i.id for i in whole.instances}
    with look.all_the_while():
        disrupt(cluster, namespace)
    after = look.until_whole()
    assert (after.name, after.fingerprint) == ("2", whole.fingerprint)
    assert [e.reason for s in look.seen for e in s.exits] == []
    assert len(look.seen) > 5
    seen = {i.id for s in look.seen for i in s.instances}
    assert seen > before, "nothing was disrupted"
    if disrupt is preempt:
        assert any("can't be scheduled" in s.rollout.reason for s in look.seen), "why it is not there, in words"


def measured(daemon: Daemon, watch: str) -> list[Measurement]:
    return sorted((m for m in daemon.store.measurements(watch, "crash-loop")), key=lambda m: m.at)


@pytest.mark.alone
def test_one_watch_that_lives_through_all_of_it(cluster: Cluster, namespace: str, tmp_path: Path):
    deploy(cluster, namespace, *VALUES, wait=True)
    daemon = guarding(cluster, namespace, tmp_path, rules=["crash"])
    try:
        daemon.start()
        daemon.until(lambda: daemon.store.revision("app", "1") is not None, "the first revision in the ledger")
        deploy(cluster, namespace, *VALUES, "note=two", wait=True)
        daemon.until_state(WatchState.watching, "2")
        for disrupt in DISRUPTIONS:
            disrupt(cluster, namespace)
            cluster.kubectl("rollout", "status", "deployment/app", "-n", namespace, "--timeout=400s")
        over = datetime.now(UTC)
        watch = daemon.until_state(WatchState.watching, "2")
        daemon.until(lambda: measured(daemon, watch.id)[-1].at > over, "a look at what is left")
        assert not {m.verdict for m in measured(daemon, watch.id)} & {Verdict.failed, Verdict.error}
        assert daemon.kinds() == ["deploy.seen"]
    finally:
        daemon.close()


def _run_job(cluster: Cluster, namespace: str, name: str, condition: str) -> None:
    """What the CronJob does when its time has come."""
    cluster.kubectl("create", "job", name, "--from=cronjob/app-report", "-n", namespace)
    cluster.kubectl("wait", f"job/{name}", f"--for=condition={condition}", "-n", namespace, "--timeout=400s")


FAILS, SUCCEEDS = "cron=echo no such table; exit 5", "cron=echo done"


def test_jobs_of_a_cron_job_count_when_they_are_of_the_new_template(cluster: Cluster, namespace: str, look: Look):
    deploy(cluster, namespace, FAILS, wait=True)
    _run_job(cluster, namespace, "old-1", "Failed")
    deploy(cluster, namespace, FAILS.replace("table", "column"), wait=True)
    assert look().exits == (), "a Job from before the deploy"
    _run_job(cluster, namespace, "new-1", "Failed")
    seen = look.until(lambda s: s.exits, "the failed Job's exit")
    (exit_,) = seen.exits
    assert (exit_.service, exit_.exit_code) == ("app-report", 5)
    assert "container report of pod new-1-" in exit_.reason
    assert "it said last: no such column" in exit_.reason
    assert seen.rollout.phase is Phase.complete, "a Job is no part of the rollout"
    (instance,) = [i for i in seen.instances if i.service == "app-report"]
    assert (instance.one_shot, instance.ended_abnormally) == (True, True)
    assert "new-1" not in seen.pods, "queries are not about a CronJob's pods"
    _run_job(cluster, namespace, "new-2", "Failed")
    look.until(lambda s: len(s.exits) == 2, "the second one: a crash loop")


def test_what_a_cron_job_does_in_good_order_is_no_exit(cluster: Cluster, namespace: str, look: Look):
    deploy(cluster, namespace, SUCCEEDS, wait=True)
    deploy(cluster, namespace, SUCCEEDS, "note=two", wait=True)
    _run_job(cluster, namespace, "good", "Complete")
    seen = look.until(lambda s: any(i.service == "app-report" for i in s.instances), "the Job's pod")
    assert seen.exits == ()
    assert [i.ended_abnormally for i in seen.instances if i.service == "app-report"] == [False]


def test_a_job_of_the_older_template_that_starts_during_the_upgrade_does_not_count(
    cluster: Cluster, namespace: str, look: Look
):
    deploy(cluster, namespace, FAILS, wait=True)
    upgrade = cluster.begin(
        *("helm4", "upgrade", "app", str(CHART), "-n", namespace, "--set", SUCCEEDS),
        *("--set", "migrate=until test -e /tmp/over; do sleep 0.2; done"),
    )
    try:
        look.until(lambda s: s.name == "2", "the upgrade, which migrates first")
        _run_job(cluster, namespace, "meanwhile", "Failed")
        assert upgrade.poll() is None, "still migrating"
        assert look().exits == ()
        cluster.kubectl("exec", "job/app-migrate", "-n", namespace, "--", "/bin/busybox", "touch", "/tmp/over")
        assert upgrade.wait(within(60)) == 0
    finally:
        kill_group(upgrade)
    assert look.until(lambda s: s.rollout.phase is Phase.complete, "the upgrade to be done").exits == ()
    _run_job(cluster, namespace, "good", "Complete")
    seen = look.until(lambda s: any(i.service == "app-report" for i in s.instances), "the new Job's pod")
    assert [i.name.startswith("good-") for i in seen.instances if i.service == "app-report"] == [True]
    assert seen.exits == ()
