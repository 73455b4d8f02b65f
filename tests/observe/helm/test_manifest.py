from __future__ import annotations

from watchdog.observe.helm.difference import difference, secret_values
from watchdog.observe.helm.manifest import Hook, Ref, facts

MANIFEST = """---
# Source: app/templates/all.yaml
apiVersion: v1
kind: Service
metadata: {name: api}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "api"}
spec: {template: {spec: {containers: [{name: api, image: app:2}]}}}
---
{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": "other"}}
---
apiVersion: v1
kind: List
items: [{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent}}, {kind: ConfigMap, metadata: {name: c}}]
---
kind: Deployment
 broken: [
"""

HOOK = {
    "kind": "Job",
    "name": "migrate",
    "events": ["pre-upgrade"],
    "last_run": {"started_at": "2026-11-25T12:00:01Z", "phase": "Failed"},
}


def body(**info: object) -> dict:
    return {
        "namespace": "shop",
        "manifest": MANIFEST,
        "chart": {"metadata": {"name": "app", "version": "1.2.3"}},
        "info": {"last_deployed": "2026-11-25T12:00:00Z", **info},
        "hooks": [HOOK],
    }


def test_the_workloads_of_a_manifest():
    found = facts(body())
    assert [str(ref) for ref in found.workloads] == ["Deployment/api", "Job/once", "DaemonSet/agent"]
    assert [ref.namespace for ref in found.workloads] == ["shop", "other", "shop"]
    assert found.images == {"api": "app:2"}
    assert found.chart == "app-1.2.3"


def test_a_hook_that_ran_in_this_revision():
    assert facts(body()).hooks == (Hook(Ref("Job", "shop", "migrate"), "pre-upgrade", "Failed"),)
    copied = body(last_deployed="2026-11-25T18:00:00Z")  # by a rollback, from the revision it brought back
    assert facts(copied).hooks == ()


def test_whose_rollback_it_is():
    assert facts(body(description="Rollback to 3")).brought_back == "3"  # Helm 3
    assert facts(body(description="because", rollback_revision=3)).brought_back == "3"  # Helm 4
    assert facts(body(description="Upgrade complete", rollback_revision=0)).brought_back is None


def test_an_empty_body():
    assert facts({}).workloads == ()


SECRET = """---
apiVersion: v1
kind: Secret
metadata: {name: creds}
stringData: {url: "postgres-secret-%s"}
data: {token: c2VjcmV0LXRva2Vu}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  template:
    spec:
      containers:
      - {name: api, image: "app:%s", env: [{name: DB_PASSWORD, value: envsecret}, {name: MODE, value: fast}]}
"""


def test_a_difference_shows_nothing_of_a_secret():
    told = difference(SECRET % (1, 1), SECRET % (2, 2), ("revision 1", "revision 2"))
    assert told.startswith("values of Secrets differ (never shown): creds\n--- revision 1\n+++ revision 2\n")
    assert "postgres-secret" not in told
    assert "c2VjcmV0" not in told
    assert '+      - {name: api, image: "app:2"' in told


def test_no_difference():
    assert difference(SECRET % (1, 1), SECRET % (1, 1), ("a", "b")) == ""


def test_the_values_to_mask():
    assert secret_values(SECRET % (1, 1)) == {"postgres-secret-1", "c2VjcmV0LXRva2Vu", "secret-token", "envsecret"}
