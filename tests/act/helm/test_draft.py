"""From two revisions to warnings, objections and refusals."""

from __future__ import annotations

import pytest

from tests.act.helm.objects import body, claim, deployment, hook, job, parse, stateful_set, thing
from watchdog.act.helm.changes import compare, key_of
from watchdog.act.helm.draft import Found, questions, say
from watchdog.act.helm.owners import Owner
from watchdog.model.rollback import Objections
from watchdog.model.target import RollbackPolicy

FLUX = Owner("HelmRelease", "flux-system", "shop", "Deployment/app has the label x")
ARGO = Owner("Application", None, "shop", "Deployment/app has the label y")


def found(now, to, live=None, **rest):
    comparison = compare(parse(now["manifest"]), parse(to["manifest"]), "staging")
    return Found(now=now, to=to, between=(), comparison=comparison, live=live or {}, **rest)


def said(now, to, live=None, *, policy=None, **rest):
    return say(found(now, to, live, **rest), RollbackPolicy(**(policy or {})), parse)


def test_an_ordinary_upgrade_goes_back_without_a_word():
    says = said(body(7, deployment(image="app:2")), body(5, deployment(image="app:1")))
    assert says.changes == ("Deployment/app",)
    assert (says.refusals, says.warnings, says.objections) == ((), (), ())


def test_an_immutable_field_that_was_changed_is_refused_with_what_to_do():
    says = said(body(7, deployment(selector="b")), body(5, deployment(selector="a")))
    (words,) = says.refusals
    assert "Deployment/app: spec.selector differs between the two revisions" in words
    assert "`kubectl --namespace staging delete deployment app --cascade=orphan`" in words


def test_where_a_failed_upgrade_may_have_changed_it_or_not_it_is_a_warning():
    now, to = body(7, deployment(selector="b"), status="failed"), body(5, deployment(selector="a"))
    says = said(now, to)
    assert says.refusals == ()
    assert "if the failed upgrade did change it" in says.warnings[0]
    key = key_of(deployment(), "staging")
    assert said(now, to, {key: deployment(selector="a")}).warnings == ()
    assert len(said(now, to, {key: deployment(selector="b")}).refusals) == 1


def test_an_immutable_object_that_is_gone_is_simply_made_again():
    now, to = body(7, deployment(selector="b")), body(5, deployment(selector="a"))
    assert said(now, to, {key_of(deployment(), "staging"): None}).refusals == ()


def test_kinds_the_cluster_does_not_know_are_refused():
    says = said(body(7), body(5), not_served=["Foo of example.com/v1"])
    (words,) = says.refusals
    assert words.startswith("the cluster does not know Foo of example.com/v1 (any more)")


def test_a_claim_that_would_be_deleted_is_held_for_a_person_whatever_the_policies_say():
    says = said(body(7, claim()), body(5), policy={"on_migration": "roll_back", "gitops": "suspend"})
    (objection,) = says.objections
    assert (objection.name, objection.hold) == (Objections.data_at_risk, True)
    assert says.warnings == (objection.reason,)


@pytest.mark.parametrize(("policy", "hold"), [("hold", [True]), ("alert", [False]), ("roll_back", [])], ids=str)
def test_a_migration_is_an_objection_by_policy_and_always_a_warning(policy, hold):
    now = body(7, hooks=(hook(job(), "pre-upgrade"),))
    says = said(now, body(5), policy={"on_migration": policy})
    assert [objection.hold for objection in says.objections] == hold
    assert all(objection.name is Objections.migration_ran for objection in says.objections)
    assert "Job/migrate (pre-upgrade of revision 7: Succeeded)" in says.warnings[0]


def test_an_owner_is_told_of_by_default():
    says = said(body(7), body(5), owners=[(FLUX, {"spec": {}})])
    (objection,) = says.objections
    assert (objection.name, objection.hold) == (Objections.gitops_owner, False)
    assert "Flux owns this release (HelmRelease flux-system/shop; Deployment/app has the label x)" in objection.reason
    assert "`flux suspend helmrelease shop --namespace flux-system`" in objection.reason
    assert says.suspend == ()


def test_an_owner_is_suspended_where_the_policy_says_so():
    says = said(body(7), body(5), owners=[(FLUX, {"spec": {}})], policy={"gitops": "suspend"})
    assert says.objections == ()
    assert says.suspend == (FLUX,)
    assert says.changes == ("suspends HelmRelease flux-system/shop",)
    assert "`flux resume helmrelease shop --namespace flux-system`" in says.warnings[0]


def test_an_owner_that_cannot_be_read_cannot_be_suspended():
    says = said(body(7), body(5), owners=[(ARGO, None)], policy={"gitops": "suspend"})
    assert "it can't be suspended: it could not be read" in says.objections[0].reason


def test_an_owner_that_another_owner_would_wake_again_is_not_suspended():
    parents = {"ownerReferences": [{"kind": "ApplicationSet", "name": "all"}]}
    application = {"spec": {"syncPolicy": {"automated": {}}}, "metadata": parents}
    says = said(body(7), body(5), owners=[(ARGO, application)], policy={"gitops": "suspend"})
    assert "it can't be suspended: ApplicationSet all would undo that" in says.objections[0].reason


def test_an_idle_owner_is_a_warning():
    says = said(body(7), body(5), owners=[(FLUX, {"spec": {"suspend": True}})])
    assert says.objections == ()
    assert "but it is suspended" in says.warnings[0]


def test_only_what_needs_a_look_is_read():
    now = [deployment(selector="b"), stateful_set(replicas=3), claim(), thing("ConfigMap", "a"), thing("Secret", "b")]
    then = [deployment(selector="a"), stateful_set(), thing("ConfigMap", "a", data={})]
    asked = [str(key) for key in questions(compare(now, then, "staging"))]
    assert asked == ["Deployment/app", "PersistentVolumeClaim/data", "StatefulSet/db"]
