"""From `helm upgrade` to the proved rollback, on a real cluster, with the daemon as a process of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.components import require
from tests.real.cluster.cluster import CHART, ROOT, Cluster, kill_group
from tests.real.cluster.guarded import NEVER_READY, SCRAPES, Pods, Users, deploy, guarding
from tests.real.daemon import PASSES, PROGRAM, Daemon
from tests.real.prometheus_server import PROGRAM as PROMETHEUS
from tests.real.prometheus_server import PrometheusServer
from tests.waiting import wait_until, within
from watchdog.model.rollback import Objections
from watchdog.model.watch import WatchState

Guard = Callable[..., Daemon]


@pytest.fixture
def guard(cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """Start a daemon that guards the release `app`, whose first revision is good and runs."""
    daemons: list[Daemon] = []

    def start(*, first: tuple[str, ...] = (), install: bool = True, **target: Any) -> Daemon:
        if install:
            deploy(cluster, namespace, *first, helm=target.get("helm", 3), wait=True)
        daemon = guarding(cluster, namespace, tmp_path_factory.mktemp("watchdog"), **target)
        daemons.append(daemon)
        if install:
            daemon.start()
            daemon.until(lambda: daemon.store.revision("app", "1") is not None, "the first revision in the ledger")
        return daemon

    yield start
    for daemon in daemons:
        daemon.close()


def running(cluster: Cluster, namespace: str) -> dict[str, str]:
    """The newest revision of the release, as Helm says."""
    found = json.loads(cluster.helm(4, "history", "app", "-n", namespace, "-o", "json").stdout)[-1]
    return {"revision": str(found["revision"]), "status": found["status"]}


def ready_fault(cluster: Cluster, namespace: str) -> str:
    """The FAULT of the ready pods' template."""
    deployment = cluster.get("deployment", "app", "-n", namespace)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["status"].get("readyReplicas") == deployment["spec"]["replicas"]
    return str(container["env"][0]["value"])


def why(daemon: Daemon) -> str:
    watch = daemon.watch()
    assert watch is not None
    assert watch.decision is not None
    return watch.decision.reason


def test_a_good_upgrade_becomes_known_good(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard(watch=PASSES)
    deploy(cluster, namespace, "note=two")
    daemon.until_state(WatchState.passed, "2")
    revision = daemon.store.revision("app", "2")
    assert revision is not None
    assert revision.known_good
    assert daemon.kinds() == ["deploy.seen", "watch.passed"]


@pytest.mark.parametrize("helm", [3, 4])
def test_a_crash_loop(guard: Guard, cluster: Cluster, namespace: str, helm: int):
    daemon = guard(helm=helm)
    deploy(cluster, namespace, "fault=crash", helm=helm)
    watch = daemon.until_state(WatchState.recovered, "2")
    assert why(daemon).startswith("crash-loop: 2 for")
    assert 'exit_code="3"' in why(daemon)
    assert running(cluster, namespace) == {"revision": "3", "status": "deployed"}
    assert ready_fault(cluster, namespace) == "none"
    made = daemon.store.revision("app", "3")
    assert made is not None
    assert (made.same_as, made.known_good) == ("1", True)
    logs = [item.text for item in daemon.store.evidence(watch.id) if item.kind == "logs"]
    assert any("PAYMENT_URL" in text for text in logs)
    assert not any("hunter2" in item.text for item in daemon.store.evidence(watch.id))
    assert len(daemon.store.watches("app")) == 1


@pytest.mark.parametrize("helm", [3, 4])
def test_a_crash_loop_while_helm_still_waits(guard: Guard, cluster: Cluster, namespace: str, helm: int):
    daemon = guard(helm=helm)
    upgrade = cluster.begin(
        f"helm{helm}",
        "upgrade",
        "app",
        str(CHART),
        "-n",
        namespace,
        "--set",
        "fault=crash,probePath=/nope",
        "--wait",
        "--timeout",
        "10m",
    )
    try:
        daemon.until_state(WatchState.condemned, "2")
        assert upgrade.poll() is None, "tripped while helm waits"
        assert running(cluster, namespace)["status"] == "pending-upgrade"
        upgrade.terminate()  # Helm gives up, as at the end of its time
        upgrade.wait(within(60))
    finally:
        kill_group(upgrade)
    daemon.until_state(WatchState.recovered, "2")
    assert ready_fault(cluster, namespace) == "none"


@pytest.mark.parametrize("helm", [3, 4])
def test_an_image_that_is_not_there(guard: Guard, cluster: Cluster, namespace: str, helm: int):
    health = [{"pack": "health", "except": ["health-up"]}]  # without `crash`: a start that fails twice is a loop too
    daemon = guard(helm=helm, watch=NEVER_READY, rules=health)
    deploy(cluster, namespace, "image=local.test/service:missing", helm=helm)
    daemon.until_state(WatchState.recovered, "2")
    assert "health-never-ready" in why(daemon)
    assert "local.test/service:missing" in why(daemon) or "ImagePull" in why(daemon)


@pytest.mark.parametrize("helm", [3, 4])
def test_never_ready(guard: Guard, cluster: Cluster, namespace: str, helm: int):
    daemon = guard(helm=helm, watch=NEVER_READY)
    deploy(cluster, namespace, "probePath=/nope", helm=helm)
    daemon.until_state(WatchState.recovered, "2")
    assert "health-never-ready" in why(daemon)
    assert ready_fault(cluster, namespace) == "none"


@pytest.mark.parametrize("helm", [3, 4])
def test_a_leak_with_a_memory_limit(guard: Guard, cluster: Cluster, namespace: str, helm: int):
    daemon = guard(helm=helm)
    deploy(cluster, namespace, "fault=memory", "memoryLimit=64Mi", helm=helm)
    daemon.until_state(WatchState.recovered, "2", seconds=90)
    assert "crash-oom" in why(daemon)


@pytest.mark.parametrize("helm", [3, 4])
def test_a_failing_migration_is_named_with_its_log(guard: Guard, cluster: Cluster, namespace: str, helm: int):
    daemon = guard(helm=helm, rollback={"on_migration": "roll_back"})
    deploy(cluster, namespace, "note=two", "migrate=echo column discount exists already; exit 4", helm=helm)
    daemon.until_state(WatchState.recovered, "2")
    assert "release-failed" in why(daemon)
    assert "app-migrate" in why(daemon)
    assert "column discount exists already" in why(daemon)


@pytest.mark.parametrize(("changes", "state"), [((), WatchState.held), (("reversible=true",), WatchState.recovered)])
def test_a_migration_that_ran_is_left_to_a_person(
    guard: Guard, cluster: Cluster, namespace: str, changes: tuple[str, ...], state: WatchState
):
    daemon = guard()
    deploy(cluster, namespace, "fault=crash", "migrate=echo migrated", *changes)
    watch = daemon.until_state(state, "2")
    if state is WatchState.held:
        assert watch.objection is not None
        assert watch.objection.name is Objections.migration_ran
        assert "app-migrate" in watch.objection.reason
        daemon.run("rollback", "app")
        assert ready_fault(cluster, namespace) == "none"


@pytest.fixture
def prometheus(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[PrometheusServer]:
    require("prometheus", PROMETHEUS is not None)
    server = PrometheusServer(tmp_path, config=SCRAPES)
    pods = Pods(cluster, namespace, tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.close()
        pods.close()


@pytest.fixture
def users(cluster: Cluster, namespace: str) -> Iterator[Callable[[], None]]:
    started: list[Users] = []

    def begin() -> None:
        started.append(Users(str(cluster.get("service", "app", "-n", namespace)["spec"]["clusterIP"])))

    yield begin
    for each in started:
        each.close()


@pytest.mark.parametrize("helm", [3, 4])
@pytest.mark.parametrize("fault", ["errors", "latency"])
def test_what_prometheus_sees_of_the_new_pods(
    guard: Guard, cluster: Cluster, namespace: str, prometheus: PrometheusServer, users: Any, fault: str, helm: int
):
    pack = fault
    windows = {f"{pack}_window": "8s", f"{pack}_pods": "pod", "job": "service"}
    quick = {"for": "3s", "initial_delay": "3s"}
    rule = {"errors": "errors-share", "latency": "latency-p50"}[fault]
    slow = {"errors": [], "latency": ["latency-p99", "latency-mean"]}[fault]
    daemon = guard(
        helm=helm,
        config={"sources": {"prometheus": {"url": prometheus.url}}},
        vars=windows | ({"latency_p50_max": "0.2"} if pack == "latency" else {}),
        rules=["crash", {"pack": pack, "except": slow, "override": {rule: quick}}],
    )
    users()
    old = [pod["metadata"]["name"] for pod in cluster.pods(namespace)]
    deploy(cluster, namespace, f"fault={fault}", helm=helm)
    daemon.until_state(WatchState.recovered, "2", seconds=90)
    assert why(daemon).startswith(rule)
    (asked,) = {m.query for m in daemon.store.measurements(daemon.watch().id, rule) if m.verdict == "fail"}
    assert "app-" in asked
    assert not any(name in asked for name in old)


def test_a_release_that_comes_later_is_found_and_guarded(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard(install=False, name="all", helm_spec={"release": "*", "exclude": ["other"]})
    daemon.target = "all.app"
    daemon.start(seen=False)
    deploy(cluster, namespace, wait=True)
    deploy(cluster, namespace, release="other")
    daemon.until(lambda: daemon.store.bookmark("all.app") is not None, "the release to be found")
    deploy(cluster, namespace, "fault=crash")
    daemon.until_state(WatchState.recovered, "2")
    assert daemon.store.bookmark("all.other") is None
    status = json.loads(daemon.run("status", "--output", "json").stdout)
    assert [t["name"] for t in status["targets"]] == ["all.app"]
    done = daemon.run("rollback", "--environment", "staging", "--dry-run", check=False)
    assert "all.app" in done.stdout


def test_a_rollback_by_hand_is_not_judged(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard()
    deploy(cluster, namespace, "note=two")
    daemon.until_state(WatchState.watching, "2")
    cluster.helm(3, "rollback", "app", "1", "-n", namespace)
    daemon.until_state(WatchState.superseded, "2")
    daemon.until(lambda: "rollback.seen" in daemon.kinds(), "the rollback to be told")
    assert len(daemon.store.watches("app")) == 1


def test_an_upgrade_that_undoes_itself_is_not_rolled_back_again(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard()
    cluster.helm(
        3,
        "upgrade",
        "app",
        str(CHART),
        "-n",
        namespace,
        "--set",
        "probePath=/nope",
        "--atomic",
        "--timeout",
        "8s",
        check=False,
    )
    daemon.until(lambda: "rollback.seen" in daemon.kinds(), "helm's own rollback to be seen")
    assert "rollback.started" not in daemon.kinds()
    assert ready_fault(cluster, namespace) == "none"


def test_killed_in_the_middle_of_a_rollback_it_is_finished_once(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard()
    deploy(cluster, namespace, "fault=crash")
    daemon.until_state(WatchState.rolling_back, "2")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    daemon.until_state(WatchState.recovered, "2")
    assert ready_fault(cluster, namespace) == "none"
    assert len(daemon.store.rollbacks("app", daemon.watch().opened_at)) == 1


@pytest.mark.alone
def test_the_old_image_is_gone(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard(rollback={"timeout": "15s", "verify_timeout": "5s"}, first=("image=local.test/service:2",))
    init = (cluster.state / "pid" / "init").read_text().strip()
    ctr = ["ctr", "-a", f"/proc/{init}/root/run/containerd/containerd.sock", "-n", "k8s.io", "images"]
    deploy(cluster, namespace, "fault=crash", "maxUnavailable=1")
    try:
        cluster.run(*ctr, "rm", "--sync", "local.test/service:2")
        daemon.until_state(WatchState.failed, "2", seconds=90)
        assert daemon.kinds()[-1] == "incident.failed"
        assert daemon.kinds().count("rollback.started") == 1
    finally:
        cluster.run(*ctr, "tag", "local.test/service:1", "local.test/service:2")


def test_without_helm_it_says_so(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard(helm_spec={"helm": "helm-that-is-not-here"})
    deploy(cluster, namespace, "fault=crash")
    watch = daemon.until_state(WatchState.blocked, "2")
    assert watch.objection is not None
    assert watch.objection.name is Objections.cannot_plan
    assert "helm-that-is-not-here" in watch.objection.reason
    checked = daemon.run("check", check=False)
    assert checked.returncode == 1
    assert "helm-that-is-not-here" in checked.stdout


@pytest.mark.alone
def test_the_api_server_goes_away_in_the_middle_of_a_watch(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard(watch={"bake_time": "40s"})
    deploy(cluster, namespace, "note=two")
    daemon.until_state(WatchState.watching, "2")
    cluster.stop_apiserver()
    try:
        daemon.until(lambda: "watch.blind" in daemon.kinds(), "people to be told that it is blind")
    finally:
        cluster.start_apiserver()
    watch = daemon.until_state(WatchState.passed, "2", seconds=90)
    assert watch.blind.total_seconds() > 1
    assert "rollback.started" not in daemon.kinds()


def test_two_daemons_act_once(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard()
    with (daemon.folder / "second.log").open("w") as log:
        second = subprocess.Popen(
            [PROGRAM, "run", "-c", str(daemon.config)],
            env=daemon.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        deploy(cluster, namespace, "fault=crash")
        daemon.until_state(WatchState.recovered, "2")
    finally:
        second.terminate()
        second.wait(within(20))
    history = json.loads(cluster.helm(3, "history", "app", "-n", namespace, "-o", "json").stdout)
    assert [h["revision"] for h in history] == [1, 2, 3]


def test_the_script_and_the_commands(guard: Guard, cluster: Cluster, namespace: str):
    daemon = guard(watch=PASSES)
    deploy(cluster, namespace, "note=two")
    daemon.until_state(WatchState.passed, "2")
    history = json.loads(daemon.run("history", "app", "--output", "json").stdout)
    assert [(r["id"], r["known_good"], r["kept"]) for r in history["revisions"]] == [
        ("2", True, True),
        ("1", True, True),
    ]
    assert daemon.run("check").returncode == 0
    environment = {**daemon.environment, "WATCHDOG_CONFIG": str(daemon.config), "COLUMNS": "120"}
    environment["PATH"] = f"{PROGRAM.parent}:{environment['PATH']}"
    done = subprocess.run(
        [ROOT / "scripts" / "rollback.sh", "staging"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=within(60),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert running(cluster, namespace)["revision"] == "3"
    wait_until(
        lambda: cluster.get("deployment", "app", "-n", namespace)["status"].get("readyReplicas") == 1, "the pods"
    )


def test_it_goes_back_past_a_revision_that_failed(guard: Guard, cluster: Cluster, namespace: str):
    """Neither `helm rollback` without a revision nor the one before: that one never ran."""
    daemon = guard(rollback={"on_migration": "roll_back"})
    daemon.run("pause", "app", "--reason", "the test deploys a bad version")
    deploy(cluster, namespace, "note=two", "migrate=exit 4")
    daemon.until_state(WatchState.blocked, "2")
    daemon.run("resume", "app")
    deploy(cluster, namespace, "fault=crash")
    watch = daemon.until_state(WatchState.recovered, "3")
    assert watch.plan is not None
    assert watch.plan.to_revision == "1"
    assert ready_fault(cluster, namespace) == "none"


def test_a_bad_revision_that_is_superseded_is_not_good_for_that(guard: Guard, cluster: Cluster, namespace: str):
    """A rollback by hand that fails leaves the bad revision `superseded`, as a good one would be."""
    daemon = guard()
    daemon.run("pause", "app", "--reason", "the test deploys a bad version")
    deploy(cluster, namespace, "fault=crash")
    daemon.until_state(WatchState.blocked, "2")
    cluster.helm(3, "rollback", "app", "1", "-n", namespace, "--wait", "--timeout", "1ms", check=False)
    daemon.until(lambda: "rollback.seen" in daemon.kinds(), "the failed rollback to be seen")
    daemon.run("resume", "app")
    deploy(cluster, namespace, "fault=crash", "note=four")
    watch = daemon.until_state(WatchState.recovered, "4")
    secrets = cluster.get("secrets", "-n", namespace, "-l", "owner=helm,version=2")["items"]
    assert [secret["metadata"]["labels"]["status"] for secret in secrets] == ["superseded"]
    assert watch.plan is not None
    assert watch.plan.to_revision in {"1", "3"}
    revision = daemon.store.revision("app", watch.plan.to_revision)
    assert revision is not None
    assert "1" in {revision.id, revision.same_as}
    assert ready_fault(cluster, namespace) == "none"


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.test.local}}
spec:
  group: test.local
  scope: Namespaced
  names: {{plural: {plural}, kind: {kind}}}
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object, {more}}}}}}}]
"""


def test_a_crd_that_helm_will_not_bring_back_is_said(guard: Guard, cluster: Cluster, namespace: str, tmp_path: Path):
    name = namespace.replace("-", "")
    plural, kind = f"w{name}s", f"W{name}"
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    crd = chart / "crds" / "crd.yaml"
    crd.parent.mkdir()
    crd.write_text(CRD.format(plural=plural, kind=kind, more="properties: {}"))
    try:
        cluster.helm(3, "install", "app", str(chart), "-n", namespace, "--wait", "--timeout", "10m")
        daemon = guard(install=False, watch=PASSES)
        daemon.start()
        daemon.until(lambda: daemon.store.revision("app", "1") is not None, "the first revision in the ledger")
        crd.write_text(CRD.format(plural=plural, kind=kind, more="properties: {size: {type: integer}}"))
        cluster.helm(
            3, "upgrade", "app", str(chart), "-n", namespace, "--set", "note=two", "--wait", "--timeout", "10m"
        )
        daemon.until_state(WatchState.passed, "2")
        said = json.loads(daemon.run("rollback", "app", "--to", "1", "--dry-run", "--output", "json").stdout)
        assert any("CustomResourceDefinition" in line or "CRD" in line for line in said["draft"]["warnings"])
    finally:
        cluster.kubectl("delete", "crd", f"{plural}.test.local", "--wait=false", check=False)
