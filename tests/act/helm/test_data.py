"""What holds data and would be deleted."""

from __future__ import annotations

import pytest

from tests.act.helm.objects import claim, job, stateful_set, thing
from watchdog.act.helm.changes import compare, key_of
from watchdog.act.helm.data import at_risk, data_questions, left_behind

KEEP = {"annotations": {"helm.sh/resource-policy": "keep"}}
DELETED = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}
SCALED = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}


def key(one):
    return key_of(one, "staging")


@pytest.mark.parametrize(
    "one",
    [
        claim(),
        thing("PersistentVolume"),
        thing("Namespace"),
        thing("CustomResourceDefinition", api="apiextensions.k8s.io/v1"),
        stateful_set(**DELETED),
    ],
    ids=lambda one: one["kind"],
)
def test_what_the_older_revision_does_not_have_is_at_risk_with_its_data(one):
    comparison = compare([one], [], "staging")
    (words,) = at_risk(comparison, {})
    assert words.startswith(f"{key(one)} would be deleted")
    assert data_questions(comparison) == [key(one)]


@pytest.mark.parametrize("one", [thing("Secret"), thing("ConfigMap"), thing("Service"), stateful_set()])
def test_what_holds_none_is_not(one):
    assert at_risk(compare([one], [], "staging"), {}) == []


def test_an_object_that_is_kept_stays_and_that_is_said():
    comparison = compare([claim(metadata=KEEP)], [], "staging")
    assert at_risk(comparison, {}) == []
    (words,) = left_behind(comparison, {})
    assert words.startswith("PersistentVolumeClaim/data stays")


def test_the_live_objects_annotation_is_what_helm_looks_at():
    comparison = compare([claim()], [], "staging")
    assert at_risk(comparison, {key(claim()): claim(metadata=KEEP)}) == []


def test_a_claim_that_never_came_to_be_is_no_loss():
    comparison = compare([claim()], [], "staging")
    assert at_risk(comparison, {key(claim()): None}) == []
    assert left_behind(comparison, {key(claim()): None}) == []


def test_fewer_pods_take_their_claims_along_where_the_policy_says_so():
    comparison = compare([stateful_set(replicas=5, **SCALED)], [stateful_set(replicas=3, **SCALED)], "staging")
    (words,) = at_risk(comparison, {})
    assert "scaled from 5 to 3" in words
    more = compare([stateful_set(replicas=3, **SCALED)], [stateful_set(replicas=5, **SCALED)], "staging")
    assert at_risk(more, {}) == []


def test_the_number_of_pods_there_are_is_what_counts():
    comparison = compare(
        [stateful_set(replicas=3, **SCALED)], [stateful_set(replicas=3, size="1G", **SCALED)], "staging"
    )
    (words,) = at_risk(comparison, {key(stateful_set()): stateful_set(replicas=9)})
    assert "scaled from 9 to 3" in words


def test_claims_that_nothing_uses_any_more_are_warned_of():
    (words,) = left_behind(compare([stateful_set()], [], "staging"), {})
    assert words == "StatefulSet/db would be deleted; its claims stay, and nothing uses them"


def test_a_custom_object_that_goes_is_warned_of():
    (words,) = left_behind(compare([thing("Cluster", api="postgresql.cnpg.io/v1")], [], "staging"), {})
    assert words.startswith("Cluster/app of postgresql.cnpg.io would be deleted")
    assert left_behind(compare([thing("NetworkPolicy", api="networking.k8s.io/v1")], [], "staging"), {}) == []


def test_a_headless_service_stays_headless():
    now, then = thing("Service", spec={"clusterIP": "None"}), thing("Service", spec={})
    assert left_behind(compare([now], [then], "staging"), {}) == [
        "Service/app keeps clusterIP None: Kubernetes does not take it back"
    ]


def test_a_job_that_is_gone_runs_again():
    comparison = compare([job(image="app:2")], [job(image="app:1")], "staging")
    assert left_behind(comparison, {key(job()): None}) == ["Job/migrate is created again, and so runs again"]
    assert left_behind(comparison, {key(job()): job()}) == []


def test_a_version_that_a_crd_loses_is_named():
    def crd(*versions):
        spec = {"versions": [{"name": version} for version in versions]}
        return thing("CustomResourceDefinition", "x", "apiextensions.k8s.io/v1", spec=spec)

    (words,) = left_behind(compare([crd("v1", "v2")], [crd("v1")], "staging"), {})
    assert "would lose version v2" in words
