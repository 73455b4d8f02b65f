"""The command line of Helm 3 and 4."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watchdog.act.helm.command import arguments, environment, last_words, own_timeout, still_running
from watchdog.model.target import HelmSpec
from watchdog.subprocesses import Completed

SPEC = HelmSpec(release="app", namespace="staging")
MINUTES = timedelta(minutes=3)


def test_helm_3_has_no_description():
    assert arguments(SPEC, 3, "5", MINUTES, "deploy-watchdog rb-1: x") == (
        "helm", "rollback", "app", "5", "--namespace", "staging", "--wait", "--timeout", "165s", "--history-max", "0",
    )  # fmt: skip


def test_helm_4_has_one_of_at_most_256_characters():
    argv = arguments(SPEC, 4, "5", MINUTES, "deploy-watchdog rb-1: " + "x" * 300)
    assert argv[-2] == "--description"
    assert len(argv[-1]) == 256


def test_a_kubeconfig_and_context_are_named():
    spec = HelmSpec(release="app", namespace="staging", kubeconfig="/k", context="prod", helm="/bin/helm3")
    argv = arguments(spec, 3, "5", MINUTES, "")
    assert argv[:10] == (
        "/bin/helm3", "rollback", "app", "5", "--namespace", "staging", "--kubeconfig", "/k", "--kube-context", "prod",
    )  # fmt: skip


def test_helm_4_waits_as_helm_3_does():
    words = arguments(SPEC, 4, "5", MINUTES, "")
    assert words[6:9] == ("--wait=legacy", "--timeout", "165s")


@pytest.mark.parametrize(("given", "helms"), [(180, 165), (60, 48), (10, 8), (1, 1)])
def test_helm_is_given_less_time_than_it_has(given, helms):
    assert own_timeout(timedelta(seconds=given)) == helms


def test_with_a_kubeconfig_helm_has_our_environment_for_a_credential_program_and_no_secret_of_ours():
    given = {"PATH": "/bin", "KUBECONFIG": "/k", "AWS_PROFILE": "staging", "SENTRY_DSN": "x", "PGPASSWORD": "x"}
    assert environment(SPEC, given, in_pod=False, secrets={"SENTRY_DSN"}) == {
        "PATH": "/bin", "KUBECONFIG": "/k", "AWS_PROFILE": "staging", "HELM_DRIVER": "secret",
    }  # fmt: skip


def test_nothing_in_the_environment_sends_helm_to_another_cluster_or_storage():
    given = {"HELM_KUBECONTEXT": "production", "HELM_KUBEAPISERVER": "https://other", "HELM_DRIVER": "memory"}
    assert environment(SPEC, given, in_pod=False) == {"HELM_DRIVER": "secret"}


def test_in_the_cluster_the_pods_own_rights_are_used():
    spec = SPEC.model_copy(update={"storage": "configmap"})
    given = {"PATH": "/bin", "KUBECONFIG": "/k", "KUBERNETES_SERVICE_HOST": "10.96.0.1", "HOOK_SECRET": "x"}
    assert environment(spec, given, in_pod=True) == {
        "PATH": "/bin", "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBECONFIG": "/dev/null", "HELM_DRIVER": "configmap",
    }  # fmt: skip


def test_a_helm_that_a_killed_watchdog_left_behind_is_found(tmp_path):
    argv = arguments(SPEC, 3, "5", MINUTES, "")
    for pid, words in {
        "12": ["helm", "version"],
        "4194999": [*argv[:6], "--timeout", "9s"],
        "self": list(argv),
    }.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    assert still_running(argv, tmp_path) == 4194999
    assert still_running(arguments(SPEC, 3, "4", MINUTES, ""), tmp_path) is None
    assert still_running(argv, tmp_path / "nothing") is None


def test_helms_own_error_is_what_is_told():
    err = 'level=WARN msg="Rollback failed"\nError: admission webhook "no.example" denied the request: not today\n'
    done = Completed(code=1, out="", err=err, took=timedelta(seconds=1))
    assert last_words(done) == 'Error: admission webhook "no.example" denied the request: not today'
    assert last_words(Completed(code=1, out="", err="", took=timedelta(0))) == "it said nothing"
