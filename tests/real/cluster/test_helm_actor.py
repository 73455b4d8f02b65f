"""The Helm actor against a real cluster, with Helm 3 and 4."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.real.cluster.cluster import CHART, PROGRAMS, Cluster, kill_group
from tests.waiting import wait_until, within
from watchdog.act.helm.actor import HelmActor
from watchdog.errors import Refused
from watchdog.kubernetes.releases import PLAN_LABEL
from watchdog.model.deploy import Phase, Revision, Rollout, Snapshot
from watchdog.model.rollback import Objections, Plan
from watchdog.model.target import HelmSpec, RollbackPolicy, Target

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class Release:
    """One release in a namespace, what a test does to it, and the actor that is tried."""

    def __init__(self, cluster: Cluster, namespace: str, version: int) -> None:
        self.cluster, self.namespace, self.version = cluster, namespace, version
        self.actor = HelmActor()

    def target(self, kubeconfig: Path | None = None, **policy: Any) -> Target:
        spec = HelmSpec(
            release="app",
            namespace=self.namespace,
            kubeconfig=str(kubeconfig or self.cluster.kubeconfig),
            helm=str(PROGRAMS / f"helm{self.version}"),
            pending_limit=timedelta(minutes=15),
        )
        return Target(name="app", spec=spec, rollback=RollbackPolicy(timeout=timedelta(seconds=400), **policy))

    def deploy(self, *values: str, wait: bool = True, check: bool = True) -> None:
        sets = [word for value in values for word in ("--set", value)]
        waits = ["--wait", "--timeout", "10m"] if wait else []
        argv = ("upgrade", "--install", "app", str(CHART), "-n", self.namespace, *sets, *waits)
        self.cluster.helm(self.version, *argv, check=check)

    def stored(self) -> dict[int, dict[str, str]]:
        """The labels of each revision."""
        found = self.cluster.get("secrets", "-n", self.namespace, "-l", "owner=helm,name=app")["items"]
        return {int(s["metadata"]["labels"]["version"]): s["metadata"]["labels"] for s in found}

    def statuses(self) -> dict[int, str]:
        return {version: labels["status"] for version, labels in sorted(self.stored().items())}

    def running(self, **fields: Any) -> Snapshot:
        newest = max(self.stored())
        given = {"name": str(newest), "rollout": Rollout(phase=Phase.complete), **fields}
        return Snapshot(at=NOW, fingerprint=str(newest), **given)

    def plan(self, to: str = "1", target: Target | None = None, plan_id: str = "rb-0123456789ab") -> Plan:
        running = self.running()
        draft = self.actor.draft(target or self.target(), revision(to), running)
        return Plan(
            id=plan_id, target="app", watch="w1", from_revision=str(running.name), from_fingerprint=running.fingerprint,
            to_revision=to, draft=draft, made_at=NOW,
        )  # fmt: skip


def revision(name: str) -> Revision:
    return Revision(target="app", id=name, fingerprint=name, seen_at=NOW)


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def release(cluster: Cluster, namespace: str, request: pytest.FixtureRequest) -> Release:
    return Release(cluster, namespace, request.param)


@pytest.fixture
def one(cluster: Cluster, namespace: str) -> Release:
    """For what does not depend on Helm's version."""
    return Release(cluster, namespace, 4)


def test_back_to_the_revision_that_is_named_and_only_once(release: Release):
    release.deploy()
    release.deploy("note=two")
    release.deploy("probePath=/nothing", wait=False)
    plan = release.plan("1")
    assert plan.draft.expected == {"revision": "1"}
    assert "Deployment/app" in plan.draft.changes
    assert (plan.draft.warnings, plan.draft.objections) == ((), ())

    result = release.actor.execute(release.target(), plan, revision("1"))

    assert result.ok, (result.reason, result.output)
    assert release.statuses() == {1: "superseded", 2: "superseded", 3: "superseded", 4: "deployed"}
    assert release.stored()[4][PLAN_LABEL] == f"{plan.id}.4"
    again = release.actor.execute(release.target(), plan, revision("1"))
    assert again.ok
    assert again.reason == "already as planned: revision 4 brought 1 back"
    assert max(release.stored()) == 4
    later = release.running(plan=plan.id)
    assert release.actor.matches(release.target(), plan, later) == ()


def test_what_never_ran_or_is_gone_is_refused(one: Release):
    one.deploy(wait=False)
    one.deploy("image=local.test/nothing:1", "progressDeadlineSeconds=1", wait=False)
    argv = (
        "upgrade",
        "app",
        str(CHART),
        "-n",
        one.namespace,
        "--set",
        "probePath=/no",
        "--wait",
        "--timeout",
        "2s",
    )
    one.cluster.helm(one.version, *argv, check=False)
    with pytest.raises(Refused, match="revision 3 of release app is failed: it never ran as a whole"):
        one.plan("3")
    with pytest.raises(Refused, match=r"revision 9 .* is no longer in Helm's history \(3, 2, 1 are\)"):
        one.plan("9")


def test_never_beside_an_operation_but_over_a_dead_one(release: Release):
    release.deploy()
    running = release.cluster.begin(
        f"helm{release.version}", "upgrade", "app", str(CHART), "-n", release.namespace, "--set", "probePath=/nothing",
        "--wait", "--timeout", "600s",
    )  # fmt: skip
    try:
        wait_until(lambda: release.statuses().get(2) == "pending-upgrade", "a pending upgrade")
        plan = release.plan("1")
        beside = release.actor.execute(release.target(), plan, revision("1"))
    finally:
        kill_group(running)
    assert not beside.ok
    assert "revision 2 is pending-upgrade" in beside.reason
    assert "never beside an operation under way (pending_limit is 15m)" in beside.reason
    assert max(release.stored()) == 2

    limited = release.target()
    limited = limited.model_copy(update={"spec": limited.spec.model_copy(update={"pending_limit": timedelta(0)})})
    wait_until(lambda: release.actor.execute(limited, plan, revision("1")).ok, "the takeover")
    assert release.statuses() == {1: "superseded", 2: "pending-upgrade", 3: "deployed"}
    release.deploy("note=four")
    assert release.statuses()[4] == "deployed"


def test_over_a_deploy_that_missed_its_progress_deadline(release: Release):
    """The Deployment's condition says so until the old version is ready again; Helm 4's own way to wait gives up."""
    release.deploy()
    release.deploy("image=local.test/nothing:1", "progressDeadlineSeconds=2", wait=False)

    def late() -> bool:
        conditions = release.cluster.get("deployment", "app", "-n", release.namespace)["status"].get("conditions", ())
        return any(one.get("reason") == "ProgressDeadlineExceeded" for one in conditions)

    wait_until(late, "the progress deadline")
    result = release.actor.execute(release.target(), release.plan("1"), revision("1"))
    assert result.ok, (result.reason, result.output)
    assert release.statuses() == {1: "superseded", 2: "superseded", 3: "deployed"}


SLOW = "command={/bin/busybox,sh,-c,sleep 10; exec /usr/bin/python3 /service.py --host 0.0.0.0 --port 8080}"
"""Ready after some seconds: a rollback to it stays in its middle for as long."""


@contextlib.contextmanager
def _in_the_middle(release: Release) -> Iterator[tuple[Plan, subprocess.Popen[str]]]:
    """What a watchdog did that was then killed: it marked the revision to bring back, and Helm is under way."""
    release.deploy(SLOW, wait=False)
    release.deploy("note=two")
    plan = release.plan("1")
    name, mark = "sh.helm.release.v1.app.v1", f"{PLAN_LABEL}={plan.id}.3"
    release.cluster.kubectl("label", "secret", name, mark, "-n", release.namespace)
    helm = release.cluster.begin(*plan.draft.commands[-1])
    try:
        wait_until(lambda: release.statuses().get(3) == "pending-rollback", "the rollback to be under way", 20)
        yield plan, helm
    finally:
        kill_group(helm)


def test_killed_in_the_middle_it_is_finished(release: Release):
    with _in_the_middle(release) as (plan, helm):
        kill_group(helm)
        assert release.statuses()[3] == "pending-rollback"
        result = release.actor.execute(release.target(), plan, revision("1"))
    assert result.ok, (result.reason, result.output)
    assert release.statuses() == {1: "superseded", 2: "superseded", 3: "pending-rollback", 4: "deployed"}
    assert release.stored()[4][PLAN_LABEL] == f"{plan.id}.4"


def test_a_helm_that_outlived_the_watchdog_is_waited_for(release: Release):
    with _in_the_middle(release) as (plan, _):
        result = release.actor.execute(release.target(), plan, revision("1"))
    assert result.reason == "already as planned: revision 3 brought 1 back"
    assert max(release.stored()) == 3


def test_someone_who_deploys_in_between_is_left_alone(release: Release):
    release.deploy(wait=False)
    release.deploy("note=two", wait=False)
    plan = release.plan("1")
    release.deploy("note=three", wait=False)
    result = release.actor.execute(release.target(), plan, revision("1"))
    assert not result.ok
    assert "revision 3 (deployed) is newer than the plan's 2: someone deployed in between" in result.reason
    assert release.statuses()[3] == "deployed"


def test_later_deploys_inherit_the_label_and_are_not_ours(release: Release):
    release.deploy(wait=False)
    release.deploy("note=two", wait=False)
    plan = release.plan("1")
    assert release.actor.execute(release.target(), plan, revision("1")).ok
    release.deploy("note=four", wait=False)
    assert release.stored()[4][PLAN_LABEL] == f"{plan.id}.3"
    result = release.actor.execute(release.target(), plan, revision("1"))
    assert "revision 4 (deployed) is newer than the plan's 2" in result.reason


WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: "%(name)s"}
webhooks:
- name: no.example.com
  clientConfig: {url: "https://127.0.0.1:9/no"}
  rules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments]}]
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "%(name)s"}}
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
  timeoutSeconds: 2
"""


def test_a_webhook_that_refuses_is_quoted(release: Release):
    release.deploy(wait=False)
    release.deploy("note=two", wait=False)
    plan = release.plan("1")
    release.cluster.apply(WEBHOOK % {"name": release.namespace})
    try:
        result = release.actor.execute(release.target(), plan, revision("1"))
    finally:
        release.cluster.kubectl("delete", "validatingwebhookconfiguration", release.namespace)
    assert not result.ok
    assert 'failed calling webhook "no.example.com"' in result.reason
    assert result.reason.endswith("; revision 3 is failed")
    again = release.actor.execute(release.target(), plan, revision("1"))
    assert again.reason == "revision 3 of this plan is failed; there is no second try by itself"


def test_an_image_that_cannot_be_pulled_ends_with_helms_own_time_limit(release: Release):
    release.deploy("image=local.test/nothing:1", wait=False)
    release.deploy("image=local.test/service:1")  # without any value, Helm takes the last ones
    target = release.target()
    target = target.model_copy(update={"rollback": RollbackPolicy(timeout=timedelta(seconds=10))})
    result = release.actor.execute(target, release.plan("1"), revision("1"))
    assert not result.ok
    assert result.reason.startswith("`helm rollback` exited with code 1: Error: ")
    assert result.reason.endswith("; revision 3 is failed")
    assert result.took < timedelta(seconds=within(20))


def test_a_helm_that_hangs_or_is_missing_is_a_result(one: Release, tmp_path: Path):
    one.deploy(wait=False)
    one.deploy("note=two", wait=False)
    plan = one.plan("1")
    hanging = tmp_path / "helm"
    hanging.write_text(f'#!/bin/sh\n[ "$1" = version ] && exec {PROGRAMS}/helm{one.version} version "$2"\nsleep 60\n')
    hanging.chmod(0o755)
    target = one.target().model_copy(update={"rollback": RollbackPolicy(timeout=timedelta(seconds=3))})
    for program, words in ((str(hanging), "did not finish in time"), ("/nowhere/helm", "no such program")):
        other = target.model_copy(update={"spec": target.spec.model_copy(update={"helm": program})})
        result = one.actor.execute(other, plan, revision("1"))
        assert not result.ok
        assert words in result.reason
    assert PLAN_LABEL not in one.stored()[1]
    assert max(one.stored()) == 2


def test_releases_kept_in_config_maps(cluster: Cluster, namespace: str):
    release = Release(cluster, namespace, 3)
    cluster.environment["HELM_DRIVER"] = "configmap"
    try:
        release.deploy()
        release.deploy("note=two")
    finally:
        del cluster.environment["HELM_DRIVER"]
    target = release.target()
    target = target.model_copy(update={"spec": target.spec.model_copy(update={"storage": "configmap"})})
    running = Snapshot(at=NOW, fingerprint="2", name="2", rollout=Rollout(phase=Phase.complete))
    draft = release.actor.draft(target, revision("1"), running)
    plan = Plan(
        id="rb-1", target="app", watch="w", from_revision="2", from_fingerprint="2", to_revision="1", draft=draft,
        made_at=NOW,
    )  # fmt: skip
    assert release.actor.execute(target, plan, revision("1")).ok
    found = cluster.get("configmaps", "-n", namespace, "-l", "owner=helm,version=3")["items"]
    assert found[0]["metadata"]["labels"][PLAN_LABEL] == "rb-1.3"


@pytest.mark.alone
def test_an_api_server_that_is_away_is_a_result(cluster: Cluster, namespace: str):
    release = Release(cluster, namespace, 3)
    release.deploy()
    release.deploy("note=two")
    plan = release.plan("1")
    cluster.stop_apiserver()
    try:
        result = release.actor.execute(release.target(), plan, revision("1"))
    finally:
        cluster.start_apiserver()
    assert not result.ok
    assert "connection re" in result.reason  # refused, or reset in the middle of a request
    wait_until(lambda: cluster.run("kubectl", "get", "nodes").returncode == 0, "the API server to be back")
    assert release.actor.execute(release.target(), plan, revision("1")).ok


def test_a_migration_that_ran_is_held_for_a_person(release: Release):
    release.deploy(wait=False)
    release.deploy("migrate=exit 0", wait=False)
    (objection,) = release.plan("1").draft.objections
    assert (objection.name, objection.hold) == (Objections.migration_ran, True)
    assert "Job/app-migrate (pre-install, pre-upgrade of revision 2: Succeeded)" in objection.reason
    alerting = release.plan("1", release.target(on_migration="roll_back")).draft
    assert alerting.objections == ()
    assert alerting.warnings == (objection.reason,)


def test_one_that_failed_counts_and_a_reversible_one_does_not(release: Release):
    release.deploy(wait=False)
    release.deploy("migrate=exit 3", check=False, wait=False)
    assert release.statuses()[2] == "failed"
    (objection,) = release.plan("1").draft.objections
    assert "revision 2: Failed" in objection.reason
    release.deploy("migrate=exit 0", "reversible=true", wait=False)
    assert "revision 3" not in release.plan("1").draft.objections[0].reason


def test_a_stateful_set_that_a_failed_upgrade_did_not_change_goes_back(release: Release):
    """The upgrade itself was refused: what is there is still what the older revision wants."""
    release.deploy("database=true")
    release.deploy("database=true", "serviceName=other", check=False)
    assert release.statuses()[2] == "failed"
    plan = release.plan("1")
    assert "StatefulSet/app-db" in plan.draft.changes
    result = release.actor.execute(release.target(), plan, revision("1"))
    assert result.ok, (result.reason, result.output)


def test_a_stateful_set_that_was_made_anew_is_refused_before_anything_is_touched(release: Release):
    release.deploy("database=true", wait=False)
    release.cluster.kubectl("delete", "statefulset", "app-db", "--cascade=orphan", "-n", release.namespace)
    release.deploy("database=true", "serviceName=other", wait=False)
    with pytest.raises(Refused, match=r"StatefulSet/app-db: spec.serviceName differs .* --cascade=orphan"):
        release.plan("1")
    # And so it is: half of the rollback would have been carried out.
    refused = release.cluster.helm(release.version, "rollback", "app", "1", "-n", release.namespace, check=False)
    assert "updates to statefulset spec for fields other than" in refused.stderr


def test_a_claim_that_would_be_deleted_is_held_for_a_person(one: Release):
    one.deploy(wait=False)
    one.deploy("claim=1Gi", wait=False)
    (objection,) = one.plan("1").draft.objections
    assert (objection.name, objection.hold) == (Objections.data_at_risk, True)
    assert objection.reason.startswith("PersistentVolumeClaim/app-data would be deleted")
    keep = "helm.sh/resource-policy=keep"
    one.cluster.kubectl("annotate", "pvc", "app-data", keep, "-n", one.namespace)
    kept = one.plan("1").draft
    assert kept.objections == ()
    assert kept.warnings[0].startswith("PersistentVolumeClaim/app-data stays")


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: "%(plural)s.%(group)s"}
spec:
  group: %(group)s
  scope: Namespaced
  names: {plural: %(plural)s, singular: %(singular)s, kind: %(kind)s}
  versions:
  - name: %(version)s
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


def _kind(cluster: Cluster, group: str, version: str, kind: str) -> None:
    """It stays: tests of other processes may use it too."""
    plural, singular = f"{kind.lower()}s", kind.lower()
    values = {"group": group, "version": version, "kind": kind, "plural": plural, "singular": singular}
    cluster.apply(CRD % values)
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{group}", "--timeout=60s")


@pytest.fixture(scope="module")
def flux(shared_cluster: Cluster) -> None:
    """Flux's HelmRelease; its controller is not needed to see who owns a release."""
    _kind(shared_cluster, "helm.toolkit.fluxcd.io", "v2", "HelmRelease")


@pytest.fixture(scope="module")
def argo(shared_cluster: Cluster) -> None:
    """Argo CD's Application."""
    _kind(shared_cluster, "argoproj.io", "v1alpha1", "Application")


def test_a_release_of_flux_is_only_told_of_or_its_owner_is_suspended_first(release: Release, flux: None):
    namespace, cluster = release.namespace, release.cluster
    cluster.apply(
        {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "shop"}, "spec": {}},
        namespace,
    )
    release.deploy(wait=False)
    release.deploy("note=two", wait=False)
    marks = ["helm.toolkit.fluxcd.io/name=shop", f"helm.toolkit.fluxcd.io/namespace={namespace}"]
    cluster.kubectl("label", "deployment", "app", *marks, "-n", namespace)
    (objection,) = release.plan("1").draft.objections
    assert (objection.name, objection.hold) == (Objections.gitops_owner, False)
    assert f"`flux suspend helmrelease shop --namespace {namespace}`" in objection.reason

    target = release.target(gitops="suspend")
    plan = release.plan("1", target)
    assert plan.draft.objections == ()
    assert f"suspends HelmRelease {namespace}/shop" in plan.draft.changes
    assert cluster.get("helmrelease", "shop", "-n", namespace)["spec"] == {}  # a draft changes nothing
    assert release.actor.execute(target, plan, revision("1")).ok
    assert cluster.get("helmrelease", "shop", "-n", namespace)["spec"] == {"suspend": True}


def test_a_release_of_argo_cd_is_only_told_of_or_its_automation_is_taken_off(release: Release, argo: None):
    namespace, cluster = release.namespace, release.cluster
    application = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
        "spec": {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "retry": {"limit": 3}}},
    }  # fmt: skip
    cluster.apply(application, namespace)
    release.deploy(wait=False)
    release.deploy("note=two", wait=False)
    mark = f"argocd.argoproj.io/tracking-id={namespace}_shop:apps/Deployment:{namespace}/app"
    cluster.kubectl("annotate", "deployment", "app", mark, "-n", namespace)
    (objection,) = release.plan("1").draft.objections
    assert objection.name is Objections.gitops_owner
    assert "Argo CD owns this release" in objection.reason

    target = release.target(gitops="suspend")
    plan = release.plan("1", target)
    assert "`argocd app set shop --sync-policy automated --auto-prune --self-heal`" in plan.draft.warnings[0]
    assert release.actor.execute(target, plan, revision("1")).ok
    spec = cluster.get("application", "shop", "-n", namespace)["spec"]
    assert spec == {"syncPolicy": {"retry": {"limit": 3}}}
    idle = release.plan("2").draft
    assert idle.objections == ()
    assert "its sync is not automated" in idle.warnings[0]


def test_an_application_that_lists_the_objects_without_marking_them(one: Release, argo: None):
    """As Argo CD 2 does, whose only mark is a label that every chart sets."""
    resources = [{"group": "apps", "kind": "Deployment", "namespace": one.namespace, "name": "app"}]
    application = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": f"shop-{one.namespace}"},
        "spec": {"syncPolicy": {"automated": {}}}, "status": {"resources": resources},
    }  # fmt: skip
    one.cluster.apply(application, one.namespace)
    one.deploy(wait=False)
    one.deploy("note=two", wait=False)
    label = f"app.kubernetes.io/instance=shop-{one.namespace}"
    one.cluster.kubectl("label", "deployment", "app", label, "-n", one.namespace)
    (objection,) = one.plan("1").draft.objections
    assert "it lists Deployment/app" in objection.reason


def _rules(version: int) -> list[dict[str, list[str]]]:
    """All that acting needs for a release of these kinds. Helm 4 applies and watches every object of it."""
    looks = ["get"] if version == 3 else ["get", "list", "watch"]
    everything = [*looks, "patch"] if version == 4 else looks
    storage = ["get", "list", "create", "update", "patch", *(["watch"] if version == 4 else [])]
    return [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": storage},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": [*looks, "patch"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": everything},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": [*looks, "patch"]},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"]},
    ]


def _give(release: Release, rules: list[dict[str, list[str]]]) -> Path:
    kind, api = "Role", "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "watchdog"}
    for thing in (
        {"apiVersion": "v1", "kind": "ServiceAccount"},
        {"apiVersion": f"{api}/v1", "kind": kind, "rules": rules},
        {
            "apiVersion": f"{api}/v1", "kind": "RoleBinding", "subjects": [subject],
            "roleRef": {"apiGroup": api, "kind": kind, "name": "watchdog"},
        },
    ):  # fmt: skip
        release.cluster.apply({**thing, "metadata": {"name": "watchdog"}}, release.namespace)
    return release.cluster.service_account_kubeconfig(release.namespace, "watchdog")


def test_these_rights_are_enough_and_without_one_it_is_refused_with_the_rule(release: Release):
    release.deploy(wait=False)
    release.deploy("note=two", wait=False)
    rules = _rules(release.version)
    limited = release.target(_give(release, rules))
    plan = release.plan("1", limited)
    assert plan.draft.warnings == ()

    _give(release, [*rules[:1], *rules[2:]])
    lost = release.actor.execute(limited, plan, revision("1"))  # a right that is taken away after the draft
    assert not lost.ok
    assert 'cannot get resource "configmaps" in API group ""' in lost.reason
    with pytest.raises(Refused, match=r'no right to get.* configmaps .*apiGroups: \[""\], resources: \[configmaps\]'):
        release.plan("1", limited, plan_id="rb-2")

    _give(release, rules)
    release.deploy("note=four", wait=False)
    again = release.plan("1", limited, plan_id="rb-3")
    result = release.actor.execute(limited, again, revision("1"))
    assert result.ok, (result.reason, result.output)
