"""The rights a rollback needs, by what it does."""

from __future__ import annotations

from tests.act.helm.objects import body, deployment, hook, job, parse, thing
from watchdog.act.helm.changes import compare
from watchdog.act.helm.rights import needed

KNOWN = {
    "ConfigMap": ("configmaps", True), "Deployment": ("deployments", True), "ReplicaSet": ("replicasets", True),
    "Job": ("jobs", True), "ClusterRole": ("clusterroles", False),
}  # fmt: skip


def rights(now, to, major=3, *, server_side=False):
    comparison = compare(parse(now["manifest"]), parse(to["manifest"]), "staging")
    to = {**to, "apply_method": "ssa" if server_side else "csa"}
    found = needed(comparison, to, major, "secret", lambda key: KNOWN.get(key.kind))
    return {(namespace, right.resource): " ".join(right.verbs) for namespace, right in found}


def test_helm_3_patches_what_differs_and_lists_replica_sets():
    now, to = body(7, deployment(image="b"), thing("ConfigMap")), body(5, deployment(image="a"), thing("ConfigMap"))
    assert rights(now, to) == {
        ("staging", "secrets"): "get list create update patch",
        ("staging", "deployments"): "get patch",
        ("staging", "configmaps"): "get",
        ("staging", "replicasets"): "list",
    }


def test_helm_4_watches_everything_and_applies_everything_again():
    same = body(7, thing("ConfigMap"))
    assert rights(same, same, 4, server_side=True)["staging", "configmaps"] == "get list watch patch"
    assert rights(same, same, 4)["staging", "configmaps"] == "get list watch"


def test_what_comes_is_created_and_what_goes_is_deleted():
    now, to = body(7, thing("ConfigMap")), body(5, thing("ClusterRole", api="rbac.authorization.k8s.io/v1"))
    found = rights(now, to)
    assert found["staging", "configmaps"] == "get delete"
    assert found[None, "clusterroles"] == "get create"


def test_a_rollbacks_own_hooks_are_made_and_watched():
    to = body(5, hooks=(hook(job("undo"), "pre-rollback"), hook(job(), "pre-upgrade")))
    assert rights(body(7), to)["staging", "jobs"] == "get list watch create delete"


def test_a_kind_that_is_not_known_is_another_question():
    assert list(rights(body(7), body(5, thing("Foo")))) == [("staging", "secrets")]
