"""How a kubeconfig says to reach its cluster, with the credential program that it may name (`exec`: aws,
gke-gcloud-auth-plugin, kubelogin).

The client's own loader gives such a program no time limit, and asks without credentials when it has failed. Here it is
ended after a while, and what goes wrong with it is Unavailable, with its own last words.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from kubernetes.client.configuration import Configuration
from kubernetes.config import ConfigException, kube_config
from kubernetes.config.exec_provider import ExecProvider

from watchdog.errors import Unavailable
from watchdog.kubernetes.program import own_environment
from watchdog.model.masking import mask
from watchdog.subprocesses import run

TIMEOUT = timedelta(seconds=20)
"""For a credential program: those of the clouds take a second or two, and more on a cold machine."""

_UNTYPED: Any = kube_config  # it has no types


def load(
    configuration: Configuration, kubeconfig: str | None, context: str | None, secrets: Collection[str] = ()
) -> None:
    """Read the kubeconfig (None: the one of the environment) into the client's configuration, and get its credentials.
    `secrets`: variables of ours that a credential program must not see.

    Raises Unavailable when a credential program fails; ConfigException, OSError and YAML errors for a bad kubeconfig.
    """
    merged = _UNTYPED.KubeConfigMerger(kubeconfig or kube_config.KUBE_CONFIG_DEFAULT_LOCATION)
    if merged.config is None:
        raise ConfigException("no configuration found")
    loader = _Loader(secrets, config_dict=merged.config, config_base_path=None, active_context=context)
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]


class _Loader(kube_config.KubeConfigLoader):
    """Also gets new credentials by itself when a program said that the last ones expire."""

    _user: Any
    _cluster: Any

    def __init__(self, secrets: Collection[str], **more: Any) -> None:
        self._secrets = secrets
        super().__init__(**more)  # type: ignore[no-untyped-call]

    def _load_from_exec_plugin(self) -> bool:
        if "exec" not in self._user:
            return False
        folder = self._get_base_path(self._cluster.path)  # type: ignore[no-untyped-call]
        status = _Program(self._secrets, self._user["exec"], folder, self._cluster).run()
        if "token" in status:
            self.token = f"Bearer {status['token']}"
        elif "clientCertificateData" in status and "clientKeyData" in status:
            self.cert_file = self._file(status, "clientCertificateData", folder)
            self.key_file = self._file(status, "clientKeyData", folder)
        else:
            raise ConfigException("the credential program gave neither a token nor a certificate with its key")
        vars(self).pop("expiry", None)  # of the credentials before
        if "expirationTimestamp" in status:
            self.expiry = _UNTYPED.parse_rfc3339(status["expirationTimestamp"])
        return True

    def _file(self, status: Any, name: str, folder: str) -> str:
        found = _UNTYPED.FileOrData(status, None, data_key_name=name, file_base_path=folder, base64_file_content=False)
        return str(found.as_file())


class _Program(ExecProvider):
    """A credential program."""

    def __init__(self, secrets: Collection[str], *more: Any) -> None:
        super().__init__(*more)  # type: ignore[no-untyped-call]
        self.env = own_environment(self.env, secrets)

    def run(self, previous_response: Any = None) -> Any:
        """The credentials that it gives. Never asks anybody: there is no terminal."""
        asked: dict[str, Any] = {"interactive": False}
        if self.cluster:
            asked["cluster"] = dict(self.cluster.value)
            for extension in asked["cluster"].get("extensions") or ():
                if extension["name"] == "client.authentication.k8s.io/exec":
                    asked["cluster"]["config"] = extension["extension"]
        info = {"apiVersion": self.api_version, "kind": "ExecCredential", "spec": asked}
        env = {**self.env, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        done = run(self.args, timeout=TIMEOUT, cwd=self.cwd, env=env)
        words = f"the kubeconfig's credential program {self.args[0]}"
        if not done.ok:
            said = mask(done.err.strip()[-500:], ())  # never its output, which may be a token
            raise Unavailable(f"{words} {done.outcome}: {said or 'it said nothing'}")
        try:
            given = json.loads(done.out)
            version, status = given["apiVersion"], given["status"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"{words} gave no ExecCredential") from error
        if version != self.api_version or not isinstance(status, dict):
            raise Unavailable(f"{words} gave {version}, and the kubeconfig says {self.api_version}")
        return status
