from __future__ import annotations

import pytest

from tests.kubernetes.examples import packed, release_object
from watchdog.errors import Refused
from watchdog.kubernetes.releases import body_of, instant, plan_of, release_of, storage_path


def test_a_revision_is_known_by_its_labels():
    release = release_of(release_object(version=7, status="pending-upgrade"))
    assert release is not None
    assert (release.namespace, release.name, release.version, release.status) == ("shop", "app", 7, "pending-upgrade")
    assert release.pending


def test_the_fingerprint_changes_with_the_revision_and_never_with_its_status():
    found = [release_of(release_object(version=7, status=status)) for status in ("pending-upgrade", "deployed")]
    assert {r.fingerprint for r in found if r} == {"v7-00000007"}
    gone = release_of(release_object(version=7, status="uninstalled"))
    assert gone is not None
    assert gone.fingerprint == ""


@pytest.mark.parametrize(
    "thing",
    [
        {},
        {"metadata": {"name": "x", "labels": {"owner": "helm"}}},
        release_object(owner="someone"),
        {"metadata": release_object()["metadata"] | {"name": "a-copy-of-it"}},
        release_object() | {"metadata": release_object()["metadata"] | {"creationTimestamp": None}},
    ],
)
def test_what_is_no_release_object_is_none(thing):
    assert release_of(thing) is None


def test_a_plan_counts_only_for_the_revision_it_was_made_for():
    assert plan_of({"deploy-watchdog/plan": "rb-1.8", "version": "8"}) == "rb-1"
    assert plan_of({"deploy-watchdog/plan": "rb-1.8", "version": "9"}) is None  # Helm copies labels on
    assert plan_of({"version": "9"}) is None


def test_the_switch_is_a_label():
    assert [
        r.guarded for r in (release_of(release_object(**{"deploy-watchdog/guard": v})) for v in ("false", "x")) if r
    ] == [
        False,
        True,
    ]


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_a_body_is_unpacked(kind: str):
    assert body_of(packed({"name": "app", "manifest": "a: b"}, kind)) == {"name": "app", "manifest": "a: b"}


@pytest.mark.parametrize(
    "data", [{}, {"release": "!"}, {"release": "aGVsbG8="}, {"release": packed([])["data"]["release"]}]
)
def test_a_damaged_body_is_refused_by_name(data):
    with pytest.raises(Refused, match=r"sh.helm.release.v1.app.v1"):
        body_of({**packed({}), "data": data})


def test_the_places():
    assert storage_path("secret", None) == "/api/v1/secrets"
    assert storage_path("configmap", "shop", "app", 3) == "/api/v1/namespaces/shop/configmaps/sh.helm.release.v1.app.v3"


def test_times():
    assert str(instant("2026-11-25T18:00:00.123456789+01:00")) == "2026-11-25 17:00:00.123456+00:00"
    assert [instant(text) for text in ("0001-01-01T00:00:00Z", "", None, "soon", 3)] == [None] * 5
