"""The Helm platform on a real cluster: what is seen of real releases, and how soon."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.real.cluster.cluster import CHART, PROGRAMS, Cluster, kill_group
from tests.waiting import wait_until, within
from watchdog.errors import Refused, Unavailable
from watchdog.model.deploy import Phase, Snapshot
from watchdog.model.target import HelmSpec, Target
from watchdog.observe.helm.platform import HelmPlatform

Look = Callable[[], Snapshot]

READER = """
apiVersion: v1
kind: ServiceAccount
metadata: {{name: reader}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader}}
rules:
- {{apiGroups: [""], resources: [secrets], verbs: [get, list, watch]}}
- {{apiGroups: [""], resources: [pods], verbs: [list{watch}]}}
- {{apiGroups: [""], resources: [pods/log], verbs: [get]}}
- {{apiGroups: [""], resources: [events], verbs: [list]}}
- {{apiGroups: [apps], resources: [deployments, statefulsets, daemonsets], verbs: [get]}}
- {{apiGroups: [apps], resources: [replicasets], verbs: [list]}}
- {{apiGroups: [batch], resources: [jobs], verbs: [get, list]}}
- {{apiGroups: [batch], resources: [cronjobs], verbs: [get]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: reader}}]
"""


@pytest.fixture
def platform() -> Iterator[HelmPlatform]:
    made = HelmPlatform()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def target(cluster: Cluster, namespace: str) -> Target:
    return target_of(cluster, namespace)


@pytest.fixture
def look(platform: HelmPlatform, target: Target) -> Look:
    return lambda: platform.snapshot(target, now())


def target_of(cluster: Cluster, namespace: str, release: str = "app", kubeconfig: str = "") -> Target:
    spec = HelmSpec(
        release=release,
        namespace=namespace,
        kubeconfig=kubeconfig or str(cluster.kubeconfig),
        helm=str(PROGRAMS / "helm3"),
    )
    return Target(name=release if release != "*" else "all", spec=spec)


def now() -> datetime:
    return datetime.now(UTC)


def install(cluster: Cluster, namespace: str, *settings: str, version: int = 3, release: str = "app") -> None:
    deploy(cluster, namespace, "--wait", *settings, version=version, release=release)


def deploy(cluster: Cluster, namespace: str, *settings: str, version: int = 3, release: str = "app") -> None:
    cluster.helm(version, "upgrade", "--install", release, str(CHART), "-n", namespace, *_flags(settings))


def _flags(settings: tuple[str, ...]) -> list[str]:
    return [word for one in settings for word in ([one] if one.startswith("--") else ["--set", one])]


def wait_for(look: Look, true: Callable[[Snapshot], object], what: str, seconds: float = 60) -> Snapshot:
    last: list[Snapshot] = []

    def seen() -> object:
        last.append(look())
        return true(last[-1])

    try:
        wait_until(seen, what, seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}; last seen: {last[-1].model_dump_json(indent=1)}") from None
    return last[-1]


class Woken:
    """Collects what `wake` is called with."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._called = threading.Condition()

    def __call__(self, name: str) -> None:
        with self._called:
            self.names.append(name)
            self._called.notify_all()

    def clear(self) -> None:
        with self._called:
            self.names.clear()

    def wait(self, name: str, seconds: float = 10) -> float:
        """Until this name was called; returns when that was seen."""
        with self._called:
            assert self._called.wait_for(lambda: name in self.names, seconds), f"{name} was not woken: {self.names}"
            return time.monotonic()


@pytest.mark.parametrize("version", [3, 4])
def test_a_good_upgrade_is_seen_within_a_second_and_becomes_complete(
    cluster: Cluster, namespace: str, platform: HelmPlatform, target: Target, look: Look, version: int
):
    install(cluster, namespace, version=version)
    before = look()
    assert (before.name, before.rollout.phase, before.exits) == ("1", Phase.complete, ())
    old = before.pods
    woken = Woken()
    platform.start([target], woken)
    woken.wait("app")
    woken.clear()

    helm = cluster.begin(
        *(f"helm{version}", "upgrade", "app", str(CHART), "-n", namespace),
        *("--set", "image=local.test/service:2", "--wait"),
    )
    try:
        woken.wait("app")
        seen_at = now()
        glance = platform.snapshot(target, now(), whole=False)
        assert platform.record(target, glance, None).images == {"app": "local.test/service:2"}, "before there is a pod"
        created = secret_time(cluster, namespace, 2)
        assert seen_at - created < timedelta(seconds=within(2))  # the API server writes whole seconds: at most 1 s late
        assert glance.name == "2"
        assert glance.fingerprint.startswith("v2-")
        assert not glance.whole
        assert glance.busy.startswith("helm upgrade is pending since ")
        while helm.poll() is None:
            during = look()
            assert during.rollout.phase in (Phase.arriving, Phase.complete)
            assert not re.fullmatch(old, during.pods), "an old pod counts as new"
        assert helm.wait(within(60)) == 0
    finally:
        kill_group(helm)
    after = wait_for(look, lambda s: s.rollout.phase is Phase.complete, "a complete rollout")
    assert after.busy == ""
    assert after.fingerprint == glance.fingerprint, "a status is no revision"
    assert [i.health for i in after.instances] == ["healthy"]
    names = [pod["metadata"]["name"] for pod in cluster.pods(namespace) if "deletionTimestamp" not in pod["metadata"]]
    assert [name for name in names if re.fullmatch(after.pods, name)] == [name for name in names if "app-" in name]
    recorded = platform.record(target, after, None)
    assert recorded.images == {"app": "local.test/service:2"}
    assert platform.history(target, 5) == ["2", "1"]


def secret_time(cluster: Cluster, namespace: str, version: int) -> datetime:
    secret = cluster.get("secret", f"sh.helm.release.v1.app.v{version}", "-n", namespace)
    return datetime.fromisoformat(secret["metadata"]["creationTimestamp"])


def test_a_crash_loop_shows_its_second_exit_while_helm_still_waits(
    cluster: Cluster, namespace: str, platform: HelmPlatform, target: Target, look: Look
):
    install(cluster, namespace)
    woken = Woken()
    platform.start([target], woken)
    look()
    command = '["/bin/busybox","sh","-c","echo starting; sleep 1; echo no database; exit 7"]'
    helm = cluster.begin(
        *("helm3", "upgrade", "app", str(CHART), "-n", namespace, "--wait", "--set-json", f"command={command}")
    )
    try:
        crashing = wait_for(look, lambda s: len(s.exits) >= 2, "the second exit")
        assert helm.poll() is None
    finally:
        kill_group(helm)
    assert crashing.busy
    exit_ = crashing.exits[-1]
    assert (exit_.service, exit_.exit_code, exit_.oom_killed) == ("app", 7, False)
    pod = next(p for p in cluster.pods(namespace) if p["metadata"]["name"] in crashing.pods)["metadata"]["name"]
    assert exit_.reason == f"container service of pod {pod} exited with code 7; it said last: starting / no database"
    assert now() - exit_.at < timedelta(seconds=within(3))
    assert {i.state for i in crashing.instances} <= {"restarting", "running"}


def test_a_crash_wakes_at_once(cluster: Cluster, namespace: str, platform: HelmPlatform, target: Target, look: Look):
    install(cluster, namespace)
    woken = Woken()
    platform.start([target], woken)
    woken.wait("app")
    look()  # from now on its pods are followed, for a minute
    time_of_quiet(woken)
    pod = cluster.pods(namespace)[0]["metadata"]["name"]
    cluster.kubectl("exec", pod, "-n", namespace, "--", "/bin/busybox", "kill", "1")
    woken.wait("app")  # nobody looks meanwhile
    woken_at = now()
    seen = wait_for(look, lambda s: s.exits, "the exit", seconds=5)
    # The API has whole seconds, and the kubelet tells of an end when it has looked: about a second.
    assert woken_at - seen.exits[0].at < timedelta(seconds=within(3))


def time_of_quiet(woken: Woken, seconds: float = 0.5) -> None:
    """Until nothing was said for a while: the first events of a new stream are over."""
    deadline = time.monotonic() + 10
    while True:
        woken.clear()
        time.sleep(seconds)
        if not woken.names:
            return
        assert time.monotonic() < deadline


def test_an_image_that_cannot_be_pulled_is_named(cluster: Cluster, namespace: str, look: Look):
    install(cluster, namespace)
    deploy(cluster, namespace, "image=local.test/nothing:9")
    seen = wait_for(look, lambda s: len(s.exits) >= 2, "the second attempt", seconds=60)
    assert seen.rollout.phase is Phase.arriving
    assert "can't be started" in seen.exits[0].reason
    assert "local.test/nothing:9" in seen.exits[0].reason
    assert "local.test/nothing:9" in seen.rollout.reason
    assert [i.state for i in seen.instances] == ["restarting"]


def test_a_failing_migration_is_the_cause_with_its_log(
    cluster: Cluster, namespace: str, platform: HelmPlatform, target: Target, look: Look
):
    install(cluster, namespace)
    settings = ["--set", "migrate=echo adding the column; echo duplicate column; exit 3"]
    failed = cluster.helm(3, "upgrade", "app", str(CHART), "-n", namespace, *settings, check=False)
    assert failed.returncode != 0
    seen = look()
    assert seen.rollout.phase is Phase.failed
    assert re.fullmatch(
        r"pre-install, pre-upgrade hook Job/app-migrate failed: container migrate of pod app-migrate-\w+ "
        r"exited with code 3; it said last: adding the column / duplicate column",
        seen.rollout.reason,
    )
    assert seen.pods == "NO-PODS-YET", "nothing of the new version ever ran"
    assert seen.exits == ()
    kept = platform.evidence(target, seen)
    assert any(item.kind == "logs" and "duplicate column" in item.text for item in kept)


def test_a_version_that_is_never_ready_is_late_by_its_own_deadline(cluster: Cluster, namespace: str, look: Look):
    install(cluster, namespace)
    deploy(cluster, namespace, "probePath=/nowhere")
    arriving = wait_for(look, lambda s: any(i.health == "unhealthy" for i in s.instances), "an unhealthy container")
    assert arriving.rollout.phase is Phase.arriving
    assert "runs, but its readiness probe fails" in arriving.rollout.reason
    deploy(cluster, namespace, "probePath=/nowhere", "progressDeadlineSeconds=1")
    late = wait_for(look, lambda s: s.rollout.phase is Phase.failed, "the progress deadline")
    assert "exceeded its progress deadline" in late.rollout.reason
    assert late.exits == ()


def test_out_of_memory_is_known_as_such(cluster: Cluster, namespace: str, look: Look):
    deploy(cluster, namespace, "fault=memory", "memoryLimit=40Mi")
    seen = wait_for(look, lambda s: any(e.oom_killed for e in s.exits), "an OOM kill", seconds=90)
    assert "out of memory" in seen.exits[-1].reason


def test_old_crashes_and_old_pods_never_count(cluster: Cluster, namespace: str, look: Look):
    deploy(cluster, namespace, "fault=crash", "database=true")
    wait_for(look, lambda s: len(s.exits) >= 2, "a crash loop of the first revision")
    deploy(cluster, namespace, "database=true")
    fresh = wait_for(look, lambda s: s.rollout.phase is Phase.complete, "the good revision")
    assert fresh.name == "2"
    assert fresh.exits == ()
    assert {i.service for i in fresh.instances} == {"app", "app-db"}


def test_every_kind_of_workload(cluster: Cluster, namespace: str, look: Look):
    install(cluster, namespace, "database=true", "daemon=true")
    deploy(cluster, namespace, "database=true", "daemon=true", "note=two")
    seen = wait_for(look, lambda s: s.rollout.phase is Phase.complete, "all workloads rolled out")
    assert {i.service for i in seen.instances} == {"app", "app-db", "app-agent"}
    assert seen.summary == "app: service:1, app-agent: service:1, app-db: service:1"
    running = {p["metadata"]["name"] for p in cluster.pods(namespace) if not p["metadata"].get("deletionTimestamp")}
    assert {name for name in running if re.fullmatch(seen.pods, name)} == running


def test_a_deleted_pod_is_no_crash(cluster: Cluster, namespace: str, look: Look):
    install(cluster, namespace)
    look()
    cluster.kubectl("delete", "pods", "--all", "-n", namespace, "--wait=false")
    seen = wait_for(look, lambda s: s.rollout.phase is Phase.complete and len(s.instances) == 1, "another pod")
    assert seen.exits == ()


@pytest.mark.parametrize("version", [3, 4])
def test_a_rollback_by_a_person_says_what_it_brought_back(
    cluster: Cluster, namespace: str, platform: HelmPlatform, target: Target, version: int
):
    install(cluster, namespace)
    deploy(cluster, namespace, "note=two")
    cluster.helm(version, "rollback", "app", "1", "-n", namespace)
    for whole in (False, True):
        seen = platform.snapshot(target, now(), whole=whole)
        assert (seen.name, seen.brought_back, seen.plan) == ("3", "1", None)


def test_our_own_rollback_is_known_by_its_plan(
    cluster: Cluster, namespace: str, platform: HelmPlatform, target: Target
):
    install(cluster, namespace)
    deploy(cluster, namespace, "note=two")
    secret = "sh.helm.release.v1.app.v1"
    cluster.kubectl("label", "secret", secret, "-n", namespace, "deploy-watchdog/plan=rb-123.3")
    cluster.helm(3, "rollback", "app", "1", "-n", namespace)
    assert platform.snapshot(target, now(), whole=False).plan == "rb-123"
    deploy(cluster, namespace, "note=four")
    assert platform.snapshot(target, now(), whole=False).plan is None, "labels are copied on, plans are not"


def test_a_dead_operation_is_said_so_after_the_limit(
    cluster: Cluster, namespace: str, platform: HelmPlatform, target: Target, look: Look
):
    install(cluster, namespace)
    helm = cluster.begin("helm3", "upgrade", "app", str(CHART), "-n", namespace, "--wait", "--set", "probePath=/no")
    try:
        wait_for(look, lambda s: s.name == "2", "the upgrade")
    finally:
        kill_group(helm)
    assert look().busy.startswith("helm upgrade is pending")
    assert isinstance(target.spec, HelmSpec)
    dead = platform.snapshot(target, now() + target.spec.pending_limit)
    assert not dead.busy
    assert dead.rollout.phase is Phase.arriving
    assert "nobody has worked on it for" in dead.rollout.reason


def test_a_pattern_finds_those_that_come_later_and_leaves_alone_what_it_should(
    cluster: Cluster, namespace: str, platform: HelmPlatform
):
    pattern = target_of(cluster, namespace, release="*")
    pattern = pattern.model_copy(update={"spec": pattern.spec.model_copy(update={"exclude": ("left",)})})
    own = target_of(cluster, namespace, release="own")
    for release in ("one", "left", "own"):
        deploy(cluster, namespace, release=release)
    woken = Woken()
    platform.start([pattern, own], woken)
    woken.wait("all.one")
    woken.wait("own")
    deploy(cluster, namespace, release="later")
    woken.wait("all.later")
    assert {t.name for t in platform.discover(pattern)} == {"all.one", "all.later", "all.own"}
    assert set(woken.names) == {"all.one", "all.later", "own"}
    name = "sh.helm.release.v1.later.v1"
    cluster.kubectl("label", "secret", name, "-n", namespace, "deploy-watchdog/guard=false")
    assert {t.name for t in platform.discover(pattern)} == {"all.one", "all.own"}
    cluster.helm(3, "uninstall", "one", "-n", namespace)
    found = pattern.found(namespace, "one")
    wait_until(lambda: platform.snapshot(found, now(), whole=False).fingerprint == "", "the uninstalled release")


@pytest.mark.alone
def test_the_api_server_may_go_and_come_back(
    cluster: Cluster, namespace: str, platform: HelmPlatform, target: Target, look: Look
):
    install(cluster, namespace)
    woken = Woken()
    platform.start([target], woken)
    woken.wait("app")
    assert look().name == "1"
    cluster.stop_apiserver()
    try:
        with pytest.raises(Unavailable):
            look()
        wait_until(lambda: _is_unavailable(platform, target), "a glance that says so")
    finally:
        cluster.start_apiserver()
    woken.clear()
    deploy(cluster, namespace, "note=two")
    woken.wait("app", seconds=40)
    assert platform.snapshot(target, now(), whole=False).name == "2"


def _is_unavailable(platform: HelmPlatform, target: Target) -> bool:
    try:
        platform.snapshot(target, now(), whole=False)
    except Unavailable:
        return True
    return False


def test_the_least_rights_are_enough_and_each_missing_one_is_named(
    cluster: Cluster, namespace: str, platform: HelmPlatform
):
    install(cluster, namespace, "database=true", "daemon=true", "migrate=echo ok")
    cluster.apply(READER.format(watch=", watch"), namespace)
    config = str(cluster.service_account_kubeconfig(namespace, "reader"))
    reader = target_of(cluster, namespace, kubeconfig=config)
    wait_until(lambda: not _missing(platform, reader), "the rights")
    woken = Woken()
    platform.start([reader], woken)
    woken.wait("app")
    seen = platform.snapshot(reader, now())
    assert seen.rollout.phase is Phase.complete
    kept = platform.evidence(reader, seen)
    assert {item.kind for item in kept} >= {"events", "state", "logs"}
    assert not [item.text for item in kept if "could not be read" in item.text]
    deploy(cluster, namespace, "database=true", "daemon=true", "note=two")
    again = platform.evidence(reader, platform.snapshot(reader, now()))
    text = "\n".join(item.text for item in again)
    assert '+      annotations: {note: "two"}' in text
    assert "values of Secrets differ (never shown): app-secret" in text
    assert "hunter2" not in text
    assert "config-secret" not in text

    cluster.apply(READER.format(watch=""), namespace)
    wait_until(lambda: _missing(platform, reader), "the right to be gone")
    rule = '{apiGroups: [""], resources: [pods], verbs: [watch]}'
    (line,) = _missing(platform, reader)
    assert line == f"no right to watch pods in namespace {namespace}: add to the Role the rule {rule}"
    cluster.kubectl("delete", "role", "reader", "-n", namespace)
    wait_until(lambda: _is_refused(platform, reader), "a refusal")


def _missing(platform: HelmPlatform, target: Target) -> list[str]:
    return [line for line in platform.check(target) if not line.startswith("note: ")]


def _is_refused(platform: HelmPlatform, target: Target) -> bool:
    try:
        platform.snapshot(target, now())
    except Refused as error:
        return "cannot list resource" in str(error)
    return False


def test_check_says_what_is_wrong(cluster: Cluster, namespace: str, platform: HelmPlatform):
    nothing = target_of(cluster, namespace)
    (line,) = _missing(platform, nothing)
    assert line.startswith(f"there is no release app in namespace {namespace} (stored as a secret); `helm list")
    pattern = target_of(cluster, namespace, release="*")
    assert platform.check(pattern)[-1] == (
        f"note: there is no release in namespace {namespace} that this stands for yet; one that comes later is guarded"
    )
    gone = target_of(cluster, namespace, kubeconfig="/nowhere/config")
    assert "cannot read how to reach the cluster of /nowhere/config" in _missing(platform, gone)[0]


def test_releases_may_be_stored_in_configmaps(cluster: Cluster, namespace: str, platform: HelmPlatform):
    spec = target_of(cluster, namespace).spec.model_copy(update={"storage": "configmap"})
    target = Target(name="app", spec=spec)
    done = cluster.run("env", "HELM_DRIVER=configmap", "helm3", "install", "app", str(CHART), "-n", namespace)
    assert done.returncode == 0, done.stderr
    woken = Woken()
    platform.start([target], woken)
    woken.wait("app")
    seen = wait_for(lambda: platform.snapshot(target, now()), lambda s: s.rollout.phase is Phase.complete, "ready")
    assert seen.name == "1"
