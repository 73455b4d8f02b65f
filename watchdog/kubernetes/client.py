"""The API server as JSON: get, list, watch, patch, post, delete, each with a time limit for the whole of it.

Goes through the ordinary client's configuration, credentials and connections, but builds no typed models: a list of
10,000 objects is read page by page as dicts. What goes wrong is Unavailable or Refused (see kubernetes/errors.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, kube_config, load_incluster_config

from watchdog.errors import Refused, Unavailable
from watchdog.kubernetes.credentials import load
from watchdog.kubernetes.errors import Throttled, in_words, refusal
from watchdog.kubernetes.stream import Stream

TIMEOUT = 10.0
"""Seconds for one request, waiting for a throttled API server included."""
PAGE = 500
MOST_BYTES = 64 * 1024 * 1024
"""Of one answer."""

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"

_BAD_YAML: type[Exception] = kube_config.yaml.YAMLError  # type: ignore[attr-defined]  # the loader lets it through
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

Query = Mapping[str, str | int]


def in_cluster() -> bool:
    """Whether this process runs in a pod with a ServiceAccount's token."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and _TOKEN.exists()


class Cluster:
    """One cluster, as one kubeconfig and context reach it. Safe to use from several threads."""

    def __init__(
        self, kubeconfig: str | None = None, context: str | None = None, secrets: Collection[str] = ()
    ) -> None:
        """Nothing is read or asked before the first request. `secrets`: variables of ours that a credential program
        must not see."""
        self._kubeconfig, self._context, self._secrets = kubeconfig, context, secrets
        self._lock = threading.Lock()
        self._client: ApiClient | None = None

    def __str__(self) -> str:
        if self._kubeconfig is None and self._context is None and in_cluster():
            return "this pod's cluster"
        where = self._kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        return f"the cluster of {where}" + (f" (context {self._context})" if self._context else "")

    def get(self, path: str, query: Query | None = None, *, accept: str = "application/json") -> Any:
        """One object. Raises NotThere, Forbidden, Refused, Unavailable."""
        return self._json("GET", path, query, accept=accept)

    def metadata(self, path: str, query: Query | None = None) -> Any:
        """One object's metadata, without its body."""
        return self._json("GET", path, query, accept=METADATA)

    def pages(self, path: str, query: Query | None = None, *, metadata: bool = False) -> Iterator[Mapping[str, Any]]:
        """The pages of a list, each as the API server sent it. Raises Expired when they took too long to read."""
        asked: dict[str, str | int] = {"limit": PAGE, **(query or {})}
        accept = METADATA_LIST if metadata else "application/json"
        while True:
            page = self._json("GET", path, asked, accept=accept)
            yield page
            after = (page.get("metadata") or {}).get("continue")
            if not after:
                return
            asked["continue"] = after

    def items(self, path: str, query: Query | None = None, *, metadata: bool = False) -> list[dict[str, Any]]:
        """Everything a list holds."""
        return [item for page in self.pages(path, query, metadata=metadata) for item in page.get("items") or ()]

    def text(self, path: str, query: Query | None = None) -> str:
        """An answer that is no JSON: a container's log."""
        return self._asked("GET", path, query, accept="*/*").decode("utf-8", errors="replace")

    def post(self, path: str, body: Mapping[str, Any], *, timeout: float = TIMEOUT) -> Any:
        """Create an object, or ask a review."""
        return self._json("POST", path, body=body, content="application/json", timeout=timeout)

    def patch(self, path: str, body: Mapping[str, Any], *, kind: str = MERGE, timeout: float = TIMEOUT) -> Any:
        """Change an object; `kind`: MERGE or STRATEGIC."""
        return self._json("PATCH", path, body=body, content=kind, timeout=timeout)

    def delete(self, path: str, query: Query | None = None, *, timeout: float = TIMEOUT) -> Any:
        """Delete an object."""
        return self._json("DELETE", path, query, timeout=timeout)

    def watch(self, path: str, query: Query, *, metadata: bool = False) -> Stream:
        """A stream of changes, open and answered with 200. Raises as `get`, and Expired for an old resource version."""
        asked = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": Stream.LASTS, **query}
        accept = METADATA if metadata else "application/json"
        raw = self._answered("GET", path, asked, accept, None, None, (TIMEOUT, Stream.SILENT), time.monotonic())
        return Stream(raw, self._doing("GET", path))

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]

    def _json(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        accept: str = "application/json",
        body: Mapping[str, Any] | None = None,
        content: str | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        answer = self._asked(method, path, query, accept=accept, body=body, content=content, timeout=timeout)
        try:
            return json.loads(answer)
        except ValueError as error:
            raise Unavailable(f"{self._doing(method, path)}: the answer is not JSON") from error

    def _asked(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        accept: str,
        body: Mapping[str, Any] | None = None,
        content: str | None = None,
        timeout: float = TIMEOUT,
    ) -> bytes:
        until = time.monotonic() + timeout
        raw = self._answered(method, path, query, accept, body, content, (timeout, timeout), until)
        doing = self._doing(method, path)
        try:
            return _read(raw, until)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{doing}: {in_words(error)}") from error
        except TooMuch as error:
            raise Unavailable(f"{doing}: {error}") from error
        finally:
            raw.release_conn()

    def _answered(
        self,
        method: str,
        path: str,
        query: Query | None,
        accept: str,
        body: Mapping[str, Any] | None,
        content: str | None,
        timeouts: tuple[float, float],
        until: float,
    ) -> urllib3.HTTPResponse:
        """A successful answer, not yet read. Waits for a throttling API server as long as there is time, and reads
        the credentials again once when they are not accepted."""
        doing, again = self._doing(method, path), True
        while True:
            client = self._connected()
            headers = {"Accept": accept, **({"Content-Type": content} if content else {})}
            try:
                request = client.param_serialize(
                    method,
                    path,
                    query_params=list((query or {}).items()),
                    header_params=headers,
                    body=dict(body) if body is not None else None,
                    auth_settings=["BearerToken"],
                )
                raw = client.call_api(*request, _request_timeout=timeouts).response
            except (urllib3.exceptions.HTTPError, ApiException, OSError, ConfigException) as error:
                raise Unavailable(f"{doing}: {in_words(error)}") from error
            if raw.status < 300:
                return raw  # type: ignore[no-any-return]
            said = self._said(raw)
            if raw.status == 401 and again:
                again = False
                self.close()
                continue
            wait = _retry_after(raw)
            if wait is None:
                raise refusal(doing, raw.status, said)
            if time.monotonic() + wait >= until:
                raise Throttled(f"{doing}: the API server is overloaded and asks to wait {wait:g} s", wait)
            time.sleep(wait)

    def _said(self, raw: urllib3.HTTPResponse) -> bytes:
        try:
            return bytes(raw.read(20_000))
        except (urllib3.exceptions.HTTPError, OSError):
            return b""
        finally:
            raw.close()

    def _connected(self) -> ApiClient:
        with self._lock:
            if self._client is None:
                self._client = ApiClient(self._configuration())
                self._client.user_agent = "deploy-watchdog"
            return self._client

    def _configuration(self) -> Configuration:
        configuration = Configuration()
        try:
            if self._kubeconfig is None and self._context is None and in_cluster():
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            else:
                load(configuration, self._kubeconfig, self._context, self._secrets)
        except (ConfigException, OSError, _BAD_YAML, ValueError, KeyError, TypeError) as error:
            raise Refused(
                f"cannot read how to reach {self}: {error}; set `helm.kubeconfig` and `helm.context`, or run in a pod "
                "with a ServiceAccount"
            ) from error
        configuration.keep_alive = True
        # A connection that was closed while it was idle is opened again; everything else is decided by the caller.
        configuration.retries = urllib3.Retry(total=1, status=0, redirect=0, respect_retry_after_header=False)
        return configuration

    def _doing(self, method: str, path: str) -> str:
        words = {"GET": "reading", "POST": "creating", "PATCH": "changing", "DELETE": "deleting"}
        return f"{words[method]} {path} in {self}"


class TooMuch(Exception):
    """An answer that is larger, or slower, than can be waited for."""


def _read(raw: urllib3.HTTPResponse, until: float) -> bytes:
    kept = bytearray()
    with contextlib.closing(raw.stream(256 * 1024)) as chunks:
        for chunk in chunks:
            kept += chunk
            if len(kept) > MOST_BYTES:
                raw.close()
                raise TooMuch(f"the answer is larger than {MOST_BYTES // 1024 // 1024} MiB")
            if time.monotonic() > until:
                raw.close()
                raise TooMuch("the answer did not end in time")
    return bytes(kept)


def _retry_after(raw: urllib3.HTTPResponse) -> float | None:
    """Seconds that an overloaded API server asks to wait; None: this is no such answer."""
    if raw.status not in (429, 503):
        return None
    told = raw.headers.get("Retry-After", "")
    if raw.status == 429:
        return float(told) if told.isdigit() else 1.0
    return float(told) if told.isdigit() else None
