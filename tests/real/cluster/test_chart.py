"""The chart on a real cluster, with the project's own image: it installs, guards, rolls back, upgrades and goes, with
exactly the rights it grants. The API server's audit log says which of them were used, and whether any was lacking."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.conftest import CHART
from tests.chart.rights import APPLIED, STORED, granted, reading
from tests.components import require
from tests.real import docker_engine as docker
from tests.real.cluster.cluster import Cluster
from tests.real.cluster.guarded import QUICK, deploy
from tests.real.daemon import PASSES
from tests.real.watchdog_image import TAG, archive
from tests.waiting import wait_until

pytestmark = pytest.mark.docker

VOLUME = """\
apiVersion: v1
kind: PersistentVolume
metadata: {{name: "{namespace}"}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadWriteOnce]
  storageClassName: "{namespace}"
  local: {{path: "{folder}"}}
  nodeAffinity:
    required: {{nodeSelectorTerms: [{{matchExpressions: [{{key: kubernetes.io/hostname, operator: Exists}}]}}]}}
"""

UNUSED_HERE = {
    ("batch", "jobs", "get"): "a Job among a release's own objects; the tests' chart has one as a hook only",
}


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    """With the project's own image on its node."""
    lacking = docker.missing()
    require(f"a Docker engine of the tests' own ({lacking or 'all there'})", not lacking)
    shared_cluster.load_image(archive())
    return shared_cluster


class Installed:
    """The chart, installed beside an application."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self.cluster, self.namespace = cluster, namespace
        state = folder / "state"
        state.mkdir()
        cluster.apply(VOLUME.format(namespace=namespace, folder=state))
        repository, _, tag = TAG.rpartition(":")
        self.values: dict[str, Any] = {
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "everyRelease": {"environment": "staging", **QUICK},
            "state": {"persistence": {"storageClass": namespace, "size": "1Gi"}},
            "terminationGracePeriodSeconds": 10,
        }
        self.file = folder / "values.yaml"

    def helm(self, version: int, verb: str) -> str:
        """`helm install` or `helm upgrade`, until it is ready."""
        self.file.write_text(json.dumps(self.values))
        words = (verb, "watchdog", str(CHART), "-n", self.namespace, "-f", str(self.file), "--wait", "--timeout", "10m")
        done = self.cluster.helm(version, *words, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{done.stdout}{done.stderr}{self.state()}")
        return done.stdout

    def state(self) -> str:
        """What a person would look at when it does not come up."""
        label = ("-n", self.namespace, "-l", "app.kubernetes.io/name=watchdog")
        log = self.cluster.kubectl("logs", *label, "--tail=40", check=False)
        return f"{log}\n{self.cluster.kubectl('describe', 'pods', *label, check=False)[-3000:]}"

    def watchdog(self, *args: str, check: bool = True) -> str:
        """A command of the watchdog, in its pod."""
        words = ("exec", "-n", self.namespace, "deploy/watchdog", "--", "watchdog", *args)
        return self.cluster.kubectl(*words, check=check)

    def until(self, true: Callable[[], object], what: str, seconds: float = 60) -> None:
        """Wait for it; on failure say what the watchdog saw."""
        try:
            wait_until(true, what, seconds)
        except AssertionError as error:
            told = self.watchdog("explain", "last", check=False)
            raise AssertionError(f"{error}\n{told}\n{self.state()}\n{self.used()[1]}") from error

    def history(self, name: str = "app") -> dict[str, str]:
        """Status by revision."""
        found = self.cluster.get("secrets", "-n", self.namespace, "-l", f"owner=helm,name={name}")["items"]
        return {s["metadata"]["labels"]["version"]: s["metadata"]["labels"]["status"] for s in found}

    def target(self, name: str = "all.app") -> dict[str, Any]:
        """What `watchdog status` says of a target."""
        text = self.watchdog("status", "--output", "json", check=False)
        found = json.loads(text)["targets"] if text else []
        return next((t for t in found if t["name"] == name), {})

    def used(self) -> tuple[set[tuple[str, str, str]], list[str]]:
        """The rights that were used, and what was asked for without one."""
        user = f"system:serviceaccount:{self.namespace}:watchdog"
        rights, refused = set[tuple[str, str, str]](), list[str]()
        if not self.cluster.audit_log.exists():
            return rights, refused
        for line in self.cluster.audit_log.read_text().splitlines():
            entry = json.loads(line)
            thing = entry.get("objectRef") or {}
            if entry["user"]["username"] != user or "resource" not in thing:
                continue
            resource = "/".join([thing["resource"], *([thing["subresource"]] if thing.get("subresource") else [])])
            right = (thing.get("apiGroup", ""), resource, entry["verb"])
            if (entry.get("responseStatus") or {}).get("code") == 403:
                refused.append(f"{right} {entry['requestURI']} by {entry.get('userAgent')}")
            elif thing["resource"] != "selfsubjectaccessreviews":
                rights.add(right)
        return rights, refused


@pytest.fixture
def installed(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Installed]:
    """Not installed yet."""
    made = Installed(cluster, namespace, tmp_path)
    try:
        yield made
    finally:
        cluster.helm(4, "uninstall", "watchdog", "-n", namespace, check=False)
        cluster.kubectl("delete", "pv", namespace, "--wait=false", check=False)


def test_it_guards_with_the_rights_of_its_role_and_uses_each(installed: Installed):
    cluster, namespace = installed.cluster, installed.namespace
    # The bad deploy takes the database away and brings an agent: the rollback creates, changes and deletes. It has a
    # hook of its own, whose end Helm watches.
    hook = r"migrateOn=pre-install\,pre-upgrade\,pre-rollback"
    migration = ("migrate=exit 0", "reversible=true", "cron=exit 0", hook)
    deploy(cluster, namespace, "database=true", *migration, helm=3)
    notes = installed.helm(3, "install")
    assert f"every release of namespace {namespace} but {namespace}/watchdog" in notes
    assert "all " in installed.watchdog("check")
    installed.until(lambda: installed.target().get("revision") == "1", "the watchdog to know revision 1")

    deploy(cluster, namespace, "daemon=true", "fault=crash", *migration, helm=3)
    installed.until(lambda: installed.history().get("3") == "deployed", "a rollback", 120)
    installed.until(lambda: "recovered" in installed.watchdog("incidents", check=False), "the proof", 90)

    used, refused = installed.used()
    does_without = f"('', 'namespaces', 'get') /api/v1/namespaces/{namespace} by Helm/4"  # asked for with a hook
    assert [one for one in refused if not one.startswith(does_without)] == []
    rights = granted(cluster.get("role", "watchdog", "-n", namespace))
    assert used - rights == set()
    assert set(reading()) - used - set(UNUSED_HERE) == set()
    assert {("", "secrets", verb) for verb in STORED} - used == set()
    applied = {verb for group, kind, verb in used if (group, kind) not in {("", "secrets"), ("", "pods")}}
    assert set(APPLIED) - applied == set(), "a verb that helm rollback does not use"


def test_it_is_upgraded_and_goes_and_keeps_its_state(installed: Installed):
    cluster, namespace = installed.cluster, installed.namespace
    deploy(cluster, namespace, helm=4, wait=True)
    installed.helm(4, "install")
    installed.until(lambda: installed.target().get("revision") == "1", "the watchdog to know revision 1")
    installed.watchdog("pause", "all.app", "--reason", "to be remembered")
    (pod,) = pods(installed)
    assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    who = ("exec", "-n", namespace, "deploy/watchdog", "--", "python", "-c", "import os; print(os.getuid())")
    assert cluster.kubectl(*who) == "65532\n"

    installed.values["everyRelease"]["mode"] = "dry_run"
    assert "dry run" in installed.helm(4, "upgrade")
    installed.until(lambda: [p["metadata"]["name"] for p in pods(installed)] != [pod["metadata"]["name"]], "a new pod")
    installed.until(lambda: "to be remembered" in json.dumps(installed.target()), "the pause, remembered")

    cluster.helm(4, "uninstall", "watchdog", "-n", namespace, "--wait")
    installed.until(lambda: not pods(installed), "the pod to be gone")
    left = cluster.kubectl("get", "deploy,role,rolebinding,sa,cm,svc,pdb,netpol,pvc", "-n", namespace, "-o", "name")
    assert [name for name in left.split() if "watchdog" in name] == ["persistentvolumeclaim/watchdog-state"]


def pods(installed: Installed) -> list[dict[str, Any]]:
    """The watchdog's own."""
    return [p for p in installed.cluster.pods(installed.namespace) if p["metadata"]["name"].startswith("watchdog-")]


SIDECAR = CHART.parent / "examples" / "sidecar"


def test_a_sidecar_finishes_the_rollback_that_replaces_itself(cluster: Cluster, namespace: str, tmp_path: Path):
    """The rollback ends the pod that it runs in; the next pod finds the plan, and finishes it."""
    state = tmp_path / "state"
    state.mkdir()
    cluster.apply(VOLUME.format(namespace=namespace, folder=state))
    watch = {**QUICK["watch"], **PASSES}
    values: dict[str, Any] = {
        "app": {"image": "local.test/service:1", "port": 8080, "env": [{"name": "FAULT", "value": "none"}]},
        "watchdog": {
            "image": TAG,
            "rules": ["crash"],
            "watch": watch,
            "rollback": QUICK["rollback"],
            "storageClass": namespace,
        },
    }
    file = tmp_path / "values.yaml"

    def helm(verb: str, *args: str) -> None:
        file.write_text(json.dumps(values))
        cluster.helm(4, verb, "app", str(SIDECAR), "-n", namespace, "-f", str(file), *args)

    def watchdog(*args: str) -> str:
        words = ("exec", "-n", namespace, "deploy/app", "-c", "watchdog", "--", "watchdog", *args)
        return cluster.kubectl(*words, "-c", "/etc/watchdog/watchdog.yaml", check=False)

    def told() -> dict[str, Any]:
        text = watchdog("explain", "last", "--output", "json")
        return json.loads(text) if text.startswith("{") else {}

    try:
        helm("install", "--wait", "--timeout", "10m")
        wait_until(lambda: '"known_good": true' in watchdog("status", "--output", "json"), "the first version", 90)
        values["app"]["env"][0]["value"] = "crash"
        helm("upgrade")
        wait_until(lambda: told().get("incident", {}).get("state") == "recovered", "the recovery", 240)
        story = told()
    except AssertionError as error:
        pods = cluster.kubectl("describe", "pods", "-n", namespace, check=False)[-3000:]
        log = cluster.kubectl("logs", "-n", namespace, "deploy/app", "-c", "watchdog", "--tail=60", check=False)
        raise AssertionError(f"{error}\n{watchdog('explain', 'last')}\n{log}\n{pods}") from error
    finally:
        cluster.helm(4, "uninstall", "app", "-n", namespace, check=False)
        cluster.kubectl("delete", "pv", namespace, "--wait=false", check=False)
    assert story["plan"]["to_revision"] == "1"
    assert story["rollback"]["attempts"] <= 2
    kinds = [line["kind"] for line in story["timeline"]]
    assert kinds.count("rollback.started") == 1
