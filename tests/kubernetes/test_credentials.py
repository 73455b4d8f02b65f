from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.configuration import Configuration
from kubernetes.config import ConfigException

from watchdog.errors import Unavailable
from watchdog.kubernetes import credentials
from watchdog.kubernetes.credentials import load
from watchdog.kubernetes.program import own_environment

VERSION = "client.authentication.k8s.io/v1"


def kubeconfig(folder: Path, script: str, **more: Any) -> str:
    """One whose credentials come from this script."""
    program = folder / "get-token"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    user = {"exec": {"apiVersion": VERSION, "command": "./get-token", **more}}
    cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}
    named = {"clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user}]}
    contexts = [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
    path = folder / "kubeconfig"
    path.write_text(json.dumps({**named, "contexts": contexts, "current-context": "x"}))
    return str(path)


def credential(**status: Any) -> str:
    return f"echo '{json.dumps({'apiVersion': VERSION, 'kind': 'ExecCredential', 'status': status})}'"


def loaded(path: str, *secrets: str) -> Configuration:
    configuration = Configuration()
    load(configuration, path, None, secrets)
    return configuration


def test_the_programs_token_is_used(tmp_path: Path):
    found = loaded(kubeconfig(tmp_path, credential(token="t-1")))
    assert found.api_key == {"BearerToken": "Bearer t-1"}
    assert found.host == "https://127.0.0.1:1"


def test_the_programs_certificate_is_used(tmp_path: Path):
    found = loaded(kubeconfig(tmp_path, credential(clientCertificateData="a certificate", clientKeyData="a key")))
    assert Path(found.cert_file).read_text() == "a certificate"
    assert Path(found.key_file).read_text() == "a key"


def test_it_sees_our_environment_without_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_PROFILE", "staging")
    monkeypatch.setenv("HOOK_SECRET", "x")
    path = kubeconfig(
        tmp_path,
        f"env > {tmp_path}/seen; {credential(token='t')}",
        env=[{"name": "REGION", "value": "here"}],
        provideClusterInfo=True,
    )
    loaded(path, "HOOK_SECRET")
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines() if "=" in line)
    assert (seen["AWS_PROFILE"], seen["REGION"]) == ("staging", "here")
    assert "HOOK_SECRET" not in seen
    info = json.loads(seen["KUBERNETES_EXEC_INFO"])
    assert (info["apiVersion"], info["spec"]["interactive"]) == (VERSION, False)
    assert info["spec"]["cluster"]["server"] == "https://127.0.0.1:1"


def test_what_our_secrets_are_in_is_kept_back():
    given = {"PATH": "/bin", "AZURE_TENANT_ID": "t", "WATCHDOG_STORE": "postgresql://…", "PGPASSWORD": "x"}
    assert own_environment(given, {"WATCHDOG_STORE"}) == {"PATH": "/bin", "AZURE_TENANT_ID": "t"}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'run aws sso login' >&2; echo t-secret; exit 3", "exited with code 3: run aws sso login"),
        ("exit 3", "exited with code 3: it said nothing"),
        ("echo t-secret", "gave no ExecCredential"),
        ("echo '[]'", "gave no ExecCredential"),
        (credential(token="t-secret").replace("/v1", "/v1beta1"), f"v1beta1, and the kubeconfig says {VERSION}"),
    ],
)
def test_a_program_that_fails_is_quoted_but_never_what_may_be_a_token(tmp_path: Path, script: str, said: str):
    with pytest.raises(Unavailable) as failed:
        loaded(kubeconfig(tmp_path, script))
    assert said in str(failed.value)
    assert "get-token" in str(failed.value)
    assert "t-secret" not in str(failed.value)


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(credentials, "TIMEOUT", timedelta(milliseconds=200))
    with pytest.raises(Unavailable, match="did not finish in time"):
        loaded(kubeconfig(tmp_path, "sleep 60"))


def test_a_program_that_gives_nothing_to_use_is_a_bad_kubeconfig(tmp_path: Path):
    with pytest.raises(ConfigException, match="neither a token nor a certificate"):
        loaded(kubeconfig(tmp_path, credential(clientCertificateData="alone")))


def test_what_will_expire_is_asked_for_again(tmp_path: Path):
    count = f"echo run >> {tmp_path}/runs"
    gives = credential(token="t", expirationTimestamp="2020-01-01T00:00:00Z")
    found = loaded(kubeconfig(tmp_path, f"{count}; {gives}"))
    found.get_api_key_with_prefix("BearerToken")
    assert (tmp_path / "runs").read_text() == "run\nrun\n"
    kubeconfig(tmp_path, f"{count}; {credential(token='lasts')}")
    assert [found.get_api_key_with_prefix("BearerToken") for _ in range(3)] == ["Bearer lasts"] * 3
    assert (tmp_path / "runs").read_text() == "run\nrun\nrun\n"
