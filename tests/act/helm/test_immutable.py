"""Fields nobody may change: suspected from the manifests, settled by what is there."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.act.helm.objects import claim, deployment, job, stateful_set, thing
from watchdog.act.helm.changes import Key, compare
from watchdog.act.helm.immutable import Suspect, quantity, refused, suspects


def found(now, then):
    return [suspect.field for suspect in suspects(compare([now] if now else [], [then], "staging"))]


def service(**spec):
    return thing("Service", spec=spec)


def config(value, *, immutable=None, kind="ConfigMap"):
    return thing(kind, data={"v": value}, **({} if immutable is None else {"immutable": immutable}))


@pytest.mark.parametrize(
    ("now", "then", "fields"),
    [
        (deployment(image="app:2"), deployment(image="app:1"), []),
        (deployment(selector="b"), deployment(selector="a"), ["spec.selector"]),
        (stateful_set(replicas=3), stateful_set(replicas=2), []),
        (stateful_set(size="2Gi"), stateful_set(size="1Gi"), ["spec.volumeClaimTemplates"]),
        (stateful_set(serviceName="db2"), stateful_set(), ["spec.serviceName"]),
        (stateful_set(podManagementPolicy="OrderedReady"), stateful_set(), []),
        (stateful_set(podManagementPolicy="Parallel"), stateful_set(), ["spec.podManagementPolicy"]),
        (job(image="app:2"), job(image="app:1"), ["spec.template"]),
        (service(clusterIP="10.0.0.2"), service(clusterIP="10.0.0.1"), ["spec.clusterIP"]),
        (service(), service(clusterIP="None"), ["spec.clusterIP"]),
        (service(clusterIP="None"), service(), []),
        (service(type="ExternalName"), service(clusterIP="10.0.0.1"), []),
        (claim(size="2Gi"), claim(size="1Gi"), ["spec.resources.requests.storage"]),
        (claim(size="1Gi"), claim(size="2Gi"), []),
        (claim(size="1024Mi"), claim(size="1Gi"), []),
        (claim(spec={"storageClassName": "b"}), claim(spec={"storageClassName": "a"}), ["spec.storageClassName"]),
        (config("2"), config("1"), []),
        (config("2", immutable=True), config("1", immutable=True), ["data"]),
        (config("1", immutable=True), config("1"), ["immutable"]),
        (config("2", immutable=False), config("1", immutable=True), []),
        (thing("Secret", type="Opaque"), thing("Secret"), []),
        (thing("Secret", type="kubernetes.io/tls"), thing("Secret"), ["type"]),
        (thing("Sandwich", spec={"selector": 1}), thing("Sandwich", spec={"selector": 2}), []),
    ],
)  # fmt: skip
def test_a_difference_in_such_a_field_is_a_suspicion(now, then, fields):
    assert found(now, then) == fields


def test_a_secret_written_as_text_is_the_same_as_one_written_in_base64():
    now = thing("Secret", immutable=True, stringData={"p": "hello"}, metadata={"labels": {"v": "2"}})
    then = thing("Secret", immutable=True, data={"p": "aGVsbG8="})
    assert found(now, then) == []


def test_the_live_object_settles_it():
    """An upgrade that was itself refused left the old selector there: going back changes nothing."""
    (suspect,) = suspects(compare([deployment(selector="b")], [deployment(selector="a")], "staging"))
    assert refused(suspect, deployment(selector="b"))
    assert not refused(suspect, deployment(selector="a"))


def test_what_the_api_server_added_by_itself_is_no_difference():
    now, then = stateful_set(size="2Gi"), stateful_set(size="1Gi")
    (suspect,) = suspects(compare([now], [then], "staging"))
    live = stateful_set(size="1024Mi")
    live["spec"]["volumeClaimTemplates"][0]["spec"]["volumeMode"] = "Filesystem"
    live["spec"]["volumeClaimTemplates"][0]["status"] = {"phase": "Pending"}
    assert not refused(suspect, live)


def test_a_label_that_only_the_newer_selector_has_would_have_to_go():
    now, then = deployment(), deployment()
    now["spec"]["selector"]["matchLabels"]["tier"] = "web"
    (suspect,) = suspects(compare([now], [then], "staging"))
    assert refused(suspect, now)
    assert not refused(suspect, then)


@pytest.mark.parametrize(
    ("capacity", "is_refused"),
    [("2Gi", True), ("1Gi", False), (None, True)],
)
def test_a_claim_may_shrink_only_as_long_as_it_has_not_grown(capacity, is_refused):
    (suspect,) = suspects(compare([claim(size="2Gi")], [claim(size="1Gi")], "staging"))
    live = claim(size="2Gi", **({"status": {"capacity": {"storage": capacity}}} if capacity else {}))
    assert refused(suspect, live) is is_refused


def test_a_kept_claim_that_comes_back_is_asked_about():
    """Only the older revision has it; with resource-policy keep it may be there all the same, and larger."""
    (size,) = [s for s in suspects(compare([], [claim(size="1Gi")], "n")) if s.field.endswith("storage")]
    assert refused(size, claim(size="2Gi"))
    assert not refused(size, claim(size="1Gi"))


def test_an_immutable_config_map_that_was_never_changed_is_let_through():
    suspect = Suspect(Key("", "ConfigMap", "n", "c"), "data", {"v": "2"}, {"v": "1"})
    assert not refused(suspect, config("1", immutable=True))
    assert refused(suspect, config("2", immutable=True))
    assert not refused(suspect, config("2", immutable=False))


@pytest.mark.parametrize(
    ("text", "number"),
    [("1Gi", 1024**3), ("500M", 500_000_000), ("2", 2), ("1k", 1000), ("1Ki", 1024), ("100m", Decimal("0.1")),
     ("1e3", 1000), ("many", None), (None, None)],
)  # fmt: skip
def test_quantities(text, number):
    assert quantity(text) == number
