"""The cluster itself: that what the other tests rely on is real, and that nothing is left of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.cluster.cluster import CHART, ROOT, Cluster
from tests.waiting import wait_until, within

ROLE = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader}]
"""


@pytest.mark.parametrize("version", [3, 4])
def test_helm_installs_upgrades_and_rolls_back(cluster: Cluster, namespace: str, version: int):
    def helm(*args: str) -> None:
        cluster.helm(version, *args, "-n", namespace, "--wait", "--timeout", "10m")

    helm("install", "app", str(CHART))
    helm("upgrade", "app", str(CHART), "--set", "note=two")
    helm("rollback", "app", "1")
    secrets = cluster.get("secrets", "-n", namespace, "-l", "owner=helm")["items"]
    assert {s["metadata"]["labels"]["version"]: s["metadata"]["labels"]["status"] for s in secrets} == {
        "1": "superseded",
        "2": "superseded",
        "3": "deployed",
    }


def test_a_crash_is_a_crash(cluster: Cluster, namespace: str):
    cluster.helm(3, "install", "app", str(CHART), "-n", namespace, "--set", "fault=crash")

    def crashed() -> bool:
        statuses = [s for pod in cluster.pods(namespace) for s in pod["status"].get("containerStatuses", [])]
        return any(
            s["restartCount"] >= 1 and s.get("lastState", {}).get("terminated", {}).get("exitCode") == 3
            for s in statuses
        )

    wait_until(crashed, "an exit with code 3, and a restart")


def test_rights_are_limited(cluster: Cluster, namespace: str):
    cluster.apply(ROLE, namespace)
    config = cluster.service_account_kubeconfig(namespace, "reader")
    assert cluster.run("kubectl", "get", "pods", "-n", namespace, kubeconfig=config).returncode == 0
    refused = cluster.run("kubectl", "get", "secrets", "-n", namespace, kubeconfig=config)
    assert "forbidden" in refused.stderr


@pytest.mark.alone
def test_the_api_server_can_be_away(cluster: Cluster):
    cluster.stop_apiserver()
    assert cluster.run("kubectl", "get", "nodes", "--request-timeout=2s").returncode != 0
    cluster.start_apiserver()
    wait_until(lambda: cluster.run("kubectl", "get", "nodes").returncode == 0, "the API server to be back")


def traces(index: int, init: str) -> list[str]:
    """What is there of a cluster, by name."""
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, timeout=within(10), check=True).stdout
    places = [Path(f"/proc/{init}"), Path(f"/tmp/kc-{index}"), *Path("/sys/fs/cgroup").glob(f"*/kc{index}")]
    return [str(place) for place in places if place.exists()] + ([f"kch{index}"] if f"kch{index}" in links else [])


def test_two_at_once_and_nothing_is_left(cluster: Cluster):
    other = Cluster()
    try:
        other.start()
        assert other.index != cluster.index
        assert "node1" in other.kubectl("get", "nodes")
        init = (other.state / "pid" / "init").read_text().strip()
        assert len(traces(other.index, init)) > 3
    finally:
        other.remove()
    assert not traces(other.index, init)


@pytest.mark.usefixtures("cluster")
def test_nothing_is_left_of_a_test_run_that_was_killed():
    program = (
        "from tests.real.cluster.cluster import Cluster; c = Cluster(); c.start(); print(c.index, flush=True); input()"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert run.stdout is not None
        index = int(run.stdout.readline())
        init = Path(f"/tmp/kc-{index}/pid/init").read_text().strip()
        assert len(traces(index, init)) > 3
    finally:
        run.kill()
        run.communicate(timeout=within(10))
    wait_until(lambda: not traces(index, init), "the cluster of the killed run to be gone")


SHARES = """
import sys
from pathlib import Path
from tests.real.cluster.sharing import shared
with shared(Path(sys.argv[1])) as cluster:
    print(cluster.index, flush=True)
    sys.stdin.read()
"""


@pytest.mark.alone
def test_processes_share_one_and_it_ends_with_the_last_of_them(tmp_path: Path):
    def process() -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", SHARES, str(tmp_path / "cluster")]
        return subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with process() as first, process() as second:
        try:
            assert first.stdout is not None
            assert second.stdout is not None
            index = int(first.stdout.readline())
            assert int(second.stdout.readline()) == index
            shared = Cluster(index)
            init = (shared.state / "pid" / "init").read_text().strip()
            first.communicate()
            assert first.returncode == 0
            assert "node1" in shared.kubectl("get", "nodes")
        finally:
            first.kill()
            second.kill()
    wait_until(lambda: not traces(index, init), "the cluster to be gone")
