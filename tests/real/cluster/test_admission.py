"""An admission policy that says no to the very change that a rollback is."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.cluster.cluster import Cluster
from tests.real.cluster.guarded import NEVER_READY, deploy, guarding
from tests.real.cluster.test_helm_actor import Release, revision
from tests.waiting import wait_until
from watchdog.model.watch import WatchState

OLD, NEW = "local.test/service:1", "local.test/service:2"
POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: "%(name)s"}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments]}]
  validations:
  - expression: >-
      object.spec.template.spec.containers.all(c, c.image != 'local.test/service:1') ||
      oldObject.spec.template.spec.containers.exists(c, c.image == 'local.test/service:1')
    message: service:1 has a known hole and may not come back
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: "%(name)s"}
spec:
  policyName: "%(name)s"
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "%(name)s"}}}
"""


@contextlib.contextmanager
def no_way_back(cluster: Cluster, namespace: str) -> Iterator[None]:
    """While it holds, the Deployment's image can't be the old one again. It takes the API server a moment to see it."""
    cluster.apply(POLICY % {"name": namespace})
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "service", "image": OLD}]}}}}
    words = ("patch", "deployment", "app", "-n", namespace, "--dry-run=server", "-p", json.dumps(patch))
    try:
        wait_until(lambda: cluster.run("kubectl", *words).returncode != 0, "the policy to be in force")
        yield
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            cluster.kubectl("delete", kind, namespace, check=False)


@pytest.mark.parametrize("version", [3, 4])
def test_its_reason_is_quoted(cluster: Cluster, namespace: str, version: int):
    release = Release(cluster, namespace, version)
    release.deploy(f"image={OLD}", wait=False)
    release.deploy(f"image={NEW}", wait=False)
    plan = release.plan("1")
    with no_way_back(cluster, namespace):
        result = release.actor.execute(release.target(), plan, revision("1"))
    assert not result.ok
    assert f"ValidatingAdmissionPolicy '{namespace}'" in result.reason
    assert "service:1 has a known hole and may not come back" in result.reason
    assert result.reason.endswith("; revision 3 is failed")
    assert release.statuses()[3] == "failed"
    again = release.actor.execute(release.target(), plan, revision("1"))
    assert again.reason == "revision 3 of this plan is failed; there is no second try by itself"


def test_the_incident_is_for_a_person(cluster: Cluster, namespace: str, tmp_path: Path):
    deploy(cluster, namespace, f"image={OLD}", wait=True)
    daemon = guarding(cluster, namespace, tmp_path, watch=NEVER_READY)
    try:
        daemon.start()
        daemon.until(lambda: daemon.store.revision("app", "1") is not None, "the first revision in the ledger")
        deploy(cluster, namespace, f"image={NEW}", "probePath=/nope")
        with no_way_back(cluster, namespace):
            daemon.until_state(WatchState.failed, "2", seconds=90)
        assert daemon.kinds()[-1] == "incident.failed"
        assert daemon.kinds().count("rollback.started") == 1
        told = daemon.events()[-1]
        assert "service:1 has a known hole and may not come back" in told.message
        assert "may not come back" in daemon.run("explain", "last").stdout.replace("\n", " ")
        image = cluster.get("deployment", "app", "-n", namespace)["spec"]["template"]["spec"]["containers"][0]["image"]
        assert image == NEW, "nothing was forced"
    finally:
        daemon.close()
