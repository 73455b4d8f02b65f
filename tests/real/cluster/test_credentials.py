"""A kubeconfig with a credential program, as EKS, GKE and AKS have: it is good for reading, and for `helm rollback`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.real.cluster.cluster import PROGRAMS, Cluster
from tests.real.cluster.guarded import deploy
from tests.waiting import wait_until
from watchdog.act.helm.actor import HelmActor
from watchdog.errors import Unavailable
from watchdog.model.deploy import Phase, Revision, Snapshot
from watchdog.model.rollback import Plan
from watchdog.model.target import HelmSpec, RollbackPolicy, Target
from watchdog.observe.helm.platform import HelmPlatform

PROGRAM = """\
#!/bin/sh
# As `aws eks get-token`: it is told by variables who it is, finds its files in HOME, and other programs on the PATH.
echo run >> "$(dirname "$0")/runs"
[ "$AWS_PROFILE" = staging ] || { echo "Unable to locate credentials. Set AWS_PROFILE" >&2; exit 253; }
[ -d "$HOME" ] && command -v cat > /dev/null || { echo "no HOME, no PATH" >&2; exit 1; }
[ "$REGION" = here ] || { echo "the kubeconfig's own variable is not set" >&2; exit 1; }
[ -z "$HOOK_SECRET$PGPASSWORD" ] || { echo "it sees a secret of the watchdog's" >&2; exit 1; }
[ "${KUBERNETES_EXEC_INFO#*client.authentication.k8s.io/v1}" != "$KUBERNETES_EXEC_INFO" ] || exit 1
cat "$(dirname "$0")/credential.json"
"""

ADMIN = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: person}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: ServiceAccount, name: person}]
"""


class Cloud:
    """A kubeconfig that has nothing but the name of a program, and what that program gives."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self._cluster, self._namespace, self._folder = cluster, namespace, folder
        cluster.kubectl("create", "serviceaccount", "person", "-n", namespace)
        cluster.apply(ADMIN, namespace)
        (folder / "get-token").write_text(PROGRAM)
        (folder / "get-token").chmod(0o755)
        config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
        config["users"][0]["user"] = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": "./get-token",  # beside the kubeconfig
                "interactiveMode": "Never",
                "provideClusterInfo": True,
                "env": [{"name": "REGION", "value": "here"}],
            }
        }
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(config))
        self.kubeconfig.chmod(0o600)
        self.gives(self.token())

    def token(self) -> str:
        return self._cluster.kubectl("create", "token", "person", "-n", self._namespace, "--duration", "1h").strip()

    def gives(self, token: str, **status: Any) -> None:
        kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        (self._folder / "credential.json").write_text(json.dumps({**kind, "status": {"token": token, **status}}))

    def runs(self) -> int:
        return len((self._folder / "runs").read_text().splitlines())

    def target(self, helm: int = 3) -> Target:
        spec = HelmSpec(
            release="app",
            namespace=self._namespace,
            kubeconfig=str(self.kubeconfig),
            helm=str(PROGRAMS / f"helm{helm}"),
        )
        return Target(name="app", spec=spec, rollback=RollbackPolicy(timeout=timedelta(minutes=10)))


@pytest.fixture
def cloud(cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """As in the environment of a daemon."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for name, value in {"AWS_PROFILE": "staging", "HOOK_SECRET": "x", "PGPASSWORD": "x"}.items():
        monkeypatch.setenv(name, value)
    return Cloud(cluster, namespace, tmp_path)


@pytest.mark.parametrize("helm", [3, 4])
def test_a_credential_program_is_good_for_reading_and_for_the_rollback(
    cluster: Cluster, namespace: str, cloud: Cloud, helm: int
):
    deploy(cluster, namespace, helm=helm, wait=True)
    deploy(cluster, namespace, "note=two", helm=helm)
    target, platform, actor = cloud.target(helm), HelmPlatform({"HOOK_SECRET"}), HelmActor(secrets={"HOOK_SECRET"})
    try:
        running = platform.snapshot(target, datetime.now(UTC))
        assert running.name == "2"
        before = Revision(target="app", id="1", fingerprint="1", seen_at=running.at)
        plan = Plan(
            id="rb-1", target="app", watch="w1", from_revision="2", from_fingerprint=running.fingerprint,
            to_revision="1", draft=actor.draft(target, before, running), made_at=running.at,
        )  # fmt: skip
        asked = cloud.runs()
        done = actor.execute(target, plan, before)
        assert done.ok, (done.reason, done.output)
        assert cloud.runs() > asked, "Helm has asked the program itself"
        assert platform.snapshot(target, datetime.now(UTC)).brought_back == "1"
    finally:
        platform.stop()
        actor.close()


def look(cloud: Cloud, platform: HelmPlatform) -> Snapshot:
    return platform.snapshot(cloud.target(), datetime.now(UTC))


def test_a_credential_that_has_expired_is_asked_for_again(cluster: Cluster, namespace: str, cloud: Cloud):
    deploy(cluster, namespace, wait=True)
    platform = HelmPlatform({"HOOK_SECRET"})
    try:
        cloud.gives(cloud.token(), expirationTimestamp="2020-01-01T00:00:00Z")
        assert look(cloud, platform).rollout.phase is Phase.complete
        several = cloud.runs()
        assert several > 1, "as it said that it is over"
        cloud.gives(cloud.token())
        look(cloud, platform)
        known = cloud.runs()
        look(cloud, platform)
        assert cloud.runs() == known, "a credential that lasts is kept"
        # The API server says so first: the account is made anew, and its tokens are of no use any more.
        cluster.kubectl("delete", "serviceaccount", "person", "-n", namespace)
        cluster.kubectl("create", "serviceaccount", "person", "-n", namespace)
        cloud.gives(cloud.token())
        wait_until(
            lambda: look(cloud, platform).rollout.phase is Phase.complete and cloud.runs() > known,
            "the API server to refuse the old token, which it remembers for some seconds",
        )
        assert cloud.runs() == known + 1
    finally:
        platform.stop()


def test_a_program_that_fails_is_quoted(
    cluster: Cluster, namespace: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    deploy(cluster, namespace)
    monkeypatch.delenv("AWS_PROFILE")
    platform = HelmPlatform({"HOOK_SECRET"})
    try:
        with pytest.raises(Unavailable) as failed:
            look(cloud, platform)
        assert str(failed.value).endswith(
            "credential program ./get-token exited with code 253: Unable to locate credentials. Set AWS_PROFILE"
        )
        (line,) = [said for said in platform.check(cloud.target()) if "get-token" in said]
        assert "Set AWS_PROFILE" in line
    finally:
        platform.stop()
