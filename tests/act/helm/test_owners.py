"""Argo CD and Flux, by their marks."""

from __future__ import annotations

import pytest

from tests.act.helm.objects import deployment, thing
from watchdog.act.helm.changes import key_of
from watchdog.act.helm.owners import (
    Owner,
    how_to_resume,
    instance_names,
    is_idle,
    managed_by,
    owner_questions,
    owners,
    owning_application,
    suspension,
)

ARGO = Owner("Application", "argocd", "shop", "")
FLUX = Owner("HelmRelease", "flux-system", "shop", "")


@pytest.mark.parametrize(
    ("marks", "owner"),
    [
        (
            {"labels": {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "flux-system"}},
            ("HelmRelease", "flux-system", "shop"),
        ),
        (
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}},
            ("Kustomization", "flux", "apps"),
        ),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:staging/app"}},
            ("Application", None, "shop"),
        ),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "team-a_shop:apps/Deployment:staging/app"}},
            ("Application", "team-a", "shop"),
        ),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, ("Application", None, "shop")),
    ],
)  # fmt: skip
def test_each_mark_names_its_owner_once(marks, owner):
    (found,) = owners([deployment(**marks), deployment("other", **marks)], "staging")
    assert (found.kind, found.namespace, found.name) == owner
    assert found.marked.startswith("Deployment/app has the ")


def test_the_label_that_every_chart_sets_proves_nothing():
    marked = deployment(labels={"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"})
    assert owners([marked], "staging") == []
    assert instance_names([marked, thing("Service")]) == {"shop"}


def application(name="shop", kind="Deployment", namespace="staging", **spec):
    resources = [{"group": "apps", "kind": kind, "namespace": namespace, "name": "app"}]
    return thing(
        "Application", name, "argoproj.io/v1alpha1", spec=spec, status={"resources": resources},
        metadata={"namespace": "argocd"},
    )  # fmt: skip


def test_an_application_that_lists_one_of_the_objects_is_the_owner():
    key = key_of(deployment(), "staging")
    found = owning_application([application()], [key], ["shop"])
    assert found == Owner("Application", "argocd", "shop", "it lists Deployment/app")
    assert owning_application([application()], [key], ["other"]) is None
    assert owning_application([application(namespace="production")], [key], ["shop"]) is None


@pytest.mark.parametrize(
    ("owner", "spec", "idle"),
    [
        (FLUX, {}, None),
        (FLUX, {"suspend": False}, None),
        (FLUX, {"suspend": True}, "it is suspended"),
        (ARGO, {"syncPolicy": {"automated": {}}}, None),
        (ARGO, {"syncPolicy": {"automated": {"selfHeal": True}}}, None),
        (ARGO, {"syncPolicy": {"automated": {"enabled": False}}}, "its sync is not automated"),
        (ARGO, {"syncPolicy": {}}, "its sync is not automated"),
        (ARGO, {}, "its sync is not automated"),
    ],
)
def test_an_owner_that_does_nothing_by_itself_is_idle(owner, spec, idle):
    assert is_idle(owner, {"spec": spec}) == idle


def test_what_would_undo_the_suspension_is_named():
    ours = {"metadata": {"ownerReferences": [{"kind": "ApplicationSet", "name": "all"}]}}
    assert managed_by(ARGO, ours) == "ApplicationSet all"
    tracked = {
        "metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "root:argoproj.io/Application:argocd/shop"}}
    }
    assert managed_by(ARGO, tracked) == "Application root"
    assert managed_by(ARGO, {}) is None
    assert managed_by(FLUX, {"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}}) is None


def test_suspending_and_resuming():
    assert suspension(FLUX) == {"spec": {"suspend": True}}
    assert suspension(ARGO) == {"spec": {"syncPolicy": {"automated": None}}}
    assert how_to_resume(FLUX, None) == "`flux resume helmrelease shop --namespace flux-system`"
    was = {"spec": {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}}}}
    assert how_to_resume(ARGO, was) == "`argocd app set shop --sync-policy automated --auto-prune --self-heal`"


def test_workloads_are_asked_first_and_only_a_few():
    things = [thing("ConfigMap", str(n)) for n in range(9)] + [deployment()]
    asked = owner_questions({key_of(one, "n"): one for one in things})
    assert len(asked) == 3
    assert str(asked[0]) == "Deployment/app"
