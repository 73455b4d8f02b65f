"""Raw requests to API servers: paths in, JSON out, each with a time limit, and errors named for what to do."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from watchdog.errors import Refused, Unavailable
from watchdog.model.target import HelmSpec

TIMEOUT = (5, 20)
"""Seconds to connect, and between two reads of an answer."""

MANAGER = "deploy-watchdog"
"""The field manager of what is patched."""

_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# Throttled (429) or overloaded requests were not carried out; the server says in Retry-After when to come again.
_RETRIES = urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=(429, 503), allowed_methods=None, redirect=0)


class KubernetesApi:
    """One API server, with one set of rights."""

    def __init__(self, made: client.ApiClient) -> None:
        self._client = made

    def get(self, path: str, query: Mapping[str, str] | None = None, *, metadata_only: bool = False) -> Any:
        """The answer's JSON, or None for 404. Raises Unavailable and Refused."""
        headers = {"Accept": _METADATA if metadata_only else "application/json"}
        return self._call("GET", path, dict(query or {}), headers, None)

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """A merge patch. Raises Unavailable and Refused."""
        headers = {"Accept": "application/json", "Content-Type": "application/merge-patch+json"}
        if self._call("PATCH", path, {"fieldManager": MANAGER}, headers, dict(body)) is None:
            raise Refused(f"{path} can't be changed: it is not there")

    def _call(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: dict[str, Any] | None
    ) -> Any:
        doing = f"{method} {path}"
        try:
            request = self._client.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = self._client.call_api(*request, _request_timeout=TIMEOUT)
            text: bytes = answer.read()  # type: ignore[no-untyped-call]
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise Unavailable(f"{doing}: the Kubernetes API does not answer: {str(error)[:300]}") from error
        if answer.status == 404:
            return None
        if 200 <= answer.status < 300:
            return json.loads(text)
        words = f"{doing}: the Kubernetes API says {answer.status}: {_message(text)}"
        raise Unavailable(words) if answer.status in {401, 429} or answer.status >= 500 else Refused(words)


class KubernetesClusters:
    """A connection for each kubeconfig and context, made when it is first needed."""

    def __init__(self) -> None:
        self._made: dict[tuple[str | None, str | None], KubernetesApi] = {}
        self._lock = threading.Lock()

    def api(self, spec: HelmSpec) -> KubernetesApi:
        """The cluster of this target. Raises Refused when its kubeconfig can't be used."""
        with self._lock:
            key = (spec.kubeconfig, spec.context)
            if key not in self._made:
                self._made[key] = KubernetesApi(_connect(spec, self.in_cluster(spec)))
            return self._made[key]

    def in_cluster(self, spec: HelmSpec) -> bool:
        """Whether the rights of the watchdog's own pod are used."""
        return spec.kubeconfig is None and spec.context is None and _TOKEN.exists()


def _connect(spec: HelmSpec, in_cluster: bool) -> client.ApiClient:
    settings = client.Configuration()
    try:
        if in_cluster:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                spec.kubeconfig, spec.context, client_configuration=settings, persist_config=False
            )
    except (ConfigException, OSError, ValueError) as error:
        where = spec.kubeconfig or ("the pod's ServiceAccount" if in_cluster else "KUBECONFIG or ~/.kube/config")
        raise Refused(f"no way to the cluster by {where}: {error}") from error
    settings.retries = _RETRIES
    return client.ApiClient(settings)


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text).get("message"))[:500]
    except (ValueError, AttributeError):
        return text.decode("utf-8", errors="replace")[:200]
