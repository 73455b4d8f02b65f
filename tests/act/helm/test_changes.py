"""Two manifests side by side."""

from __future__ import annotations

from tests.act.helm.objects import body, deployment, thing
from watchdog.act.helm.changes import Key, compare, crd_files, crd_warnings, key_of


def test_what_differs_comes_and_goes_is_named():
    now = [deployment(image="app:2"), thing("ConfigMap", "new"), thing("Service")]
    then = [deployment(image="app:1"), thing("Service"), thing("ConfigMap", "old")]
    lines = compare(now, then, "staging").lines
    assert lines == ("Deployment/app", "ConfigMap/old (created)", "ConfigMap/new (deleted)")


def test_an_object_that_names_the_releases_own_namespace_is_the_same_as_one_that_names_none():
    given = thing("ConfigMap", metadata={"namespace": "staging"})
    comparison = compare([given], [thing("ConfigMap")], "staging")
    assert (comparison.created, comparison.deleted) == ((), ())


def test_another_api_version_is_the_same_object_and_another_group_is_not():
    assert key_of(thing("HPA", api="autoscaling/v1"), "n") == key_of(thing("HPA", api="autoscaling/v2"), "n")
    assert key_of(thing("Ingress", api="extensions/v1"), "n") != key_of(
        thing("Ingress", api="networking.k8s.io/v1"), "n"
    )
    assert key_of(thing("Pod"), "n") == Key("", "Pod", "n", "app")


def test_a_crd_of_the_chart_that_differs_is_warned_of():
    now = crd_files(body(7, files={"crds/a.yaml": "YWE=", "README.md": "eHg="}))
    then = crd_files(body(5, files={"crds/a.yaml": "YmI="}))
    assert now == {"crds/a.yaml": b"aa"}
    (warning,) = crd_warnings(now, then, ("7", "5"))
    assert "crds/a.yaml of the chart differs between revision 7 and 5" in warning


def test_a_crd_that_is_the_same_is_not():
    files = crd_files(body(7, files={"crds/a.yaml": "YWE="}))
    assert crd_warnings(files, files, ("7", "5")) == []
