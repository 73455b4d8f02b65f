"""The chart grants what is needed, each right for a reason, and nothing else."""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from tests.chart.conftest import CHART, ROOT, one
from tests.chart.rights import OWNERS, granted, needed, reading

EVERYWHERE = {"name": "all", "helm": {"release": "*", "namespace": "*"}, "rules": ["crash"]}


def held() -> list[tuple[str, str]]:
    values = YAML(typ="safe", pure=True).load(CHART / "values.yaml")
    return [(part["apiGroup"], kind) for part in values["rbac"]["rollbackResources"] for kind in part["resources"]]


def target(**fields):
    return {"name": "app", "helm": {"release": "app", **fields.pop("helm", {})}, "rules": ["crash"], **fields}


def test_each_right_has_its_reason_and_none_is_missing(rendered):
    assert granted(one(rendered(), "Role")) == set(needed(held()))


def test_a_role_is_of_one_namespace(rendered):
    things = rendered()
    assert [t["metadata"]["namespace"] for t in things if t["kind"] == "Role"] == ["staging"]
    assert not [t for t in things if t["kind"].startswith("Cluster")]


def test_each_namespace_with_a_target_has_a_role(rendered):
    targets = [target(), {**target(helm={"namespace": "shop"}), "name": "shop"}]
    things = rendered({"config": {"targets": targets}})
    roles = {t["metadata"]["namespace"]: t["metadata"]["name"] for t in things if t["kind"] == "Role"}
    assert roles == {"staging": "watchdog", "shop": "staging-watchdog"}
    bound = [t for t in things if t["kind"] == "RoleBinding"]
    assert {t["metadata"]["namespace"]: t["roleRef"]["name"] for t in bound} == roles
    assert all(t["subjects"][0]["namespace"] == "staging" for t in bound)


def test_the_whole_cluster_only_when_asked(rendered):
    things = rendered({"clusterWide": True, "config": {"targets": [EVERYWHERE]}})
    assert not [t for t in things if t["kind"] == "Role"]
    more = {("argoproj.io", "applications", "list")}  # an Application is in Argo CD's namespace, wherever that is
    assert granted(one(things, "ClusterRole")) == set(needed(held())) | more


def test_without_the_right_to_roll_back_it_only_reads(rendered):
    role = one(rendered({"rbac": {"rollback": False}}), "Role")
    assert granted(role) == set(reading()) | {(group, kind, "get") for group, kind in OWNERS}


def test_releases_in_configmaps_need_no_secrets(rendered):
    values = {"config": {"targets": [target(helm={"storage": "configmap"})]}, "rbac": {"rollbackResources": []}}
    role = one(rendered(values), "Role")
    assert granted(role) == set(needed([], "configmap"))
    assert not [right for right in granted(role) if right[1] == "secrets"]


def test_gitops_owners_are_changed_only_where_a_target_suspends_them(rendered):
    values = {"config": {"targets": [target(rollback={"gitops": "suspend"})]}, "rbac": {"gitopsNamespaces": ["argocd"]}}
    roles = {t["metadata"]["namespace"]: t for t in rendered(values) if t["kind"] == "Role"}
    assert granted(roles["staging"]) == set(needed(held(), suspend=True))
    assert granted(roles["argocd"]) == {(group, kind, verb) for group, kind in OWNERS for verb in ("get", "patch")}


def test_roles_are_managed_only_when_asked(rendered):
    extra = granted(one(rendered({"rbac": {"manageRoles": True}}), "Role")) - set(needed(held()))
    assert {(group, kind) for group, kind, _ in extra} == {
        ("rbac.authorization.k8s.io", "roles"),
        ("rbac.authorization.k8s.io", "rolebindings"),
    }


@pytest.mark.parametrize("rollback", [True, False])
def test_the_docs_name_each_right(rendered, rollback):
    page = (ROOT / "docs/kubernetes.md").read_text().partition("## Permissions")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", page, re.MULTILINE)
    named = {
        (kind, verb)
        for kinds, verbs in rows
        for kind in re.findall(r"`([a-z/]+)`", kinds)
        for verb in re.findall(r"`([a-z]+)`", verbs)
    }
    role = one(rendered({"rbac": {"rollback": rollback}}), "Role")
    assert {(kind, verb) for _, kind, verb in granted(role)} - named == set()
