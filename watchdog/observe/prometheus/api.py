"""One request to Prometheus' HTTP API: one try, a time limit for the whole answer, a limit on its size, and every
failure in words that tell no credentials. Shared by what measures now and what reads history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from watchdog.model.masking import mask
from watchdog.observe.fetch import NoAnswer, fetch, shown
from watchdog.observe.prometheus.promql import read_answer

LIMIT = 16 * 1024 * 1024
"""Bytes of an answer: some 80,000 series. Reading JSON takes several times its size in memory."""

LONG_QUERY = 1500
"""Characters; longer ones are POSTed, since proxies limit the length of a URL."""


class PrometheusApi:
    """Where Prometheus is and how it is asked. Safe to use from several threads.

    `timeout` is for the whole answer; Prometheus is asked to give up by then too. `token` is sent as a Bearer token,
    `username` and `password` as basic authentication; `headers` go with each request (X-Scope-OrgID and the like).
    """

    def __init__(
        self,
        url: str,
        timeout: timedelta = timedelta(seconds=5),
        *,
        token: SecretStr | None = None,
        username: str | None = None,
        password: SecretStr | None = None,
        headers: Mapping[str, str] | None = None,
        verify_tls: bool = True,
    ) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.name = f"Prometheus at {shown(self.url)}"
        self._headers = dict(headers or {})
        self._auth: tuple[str, str] | None = None
        self._verify = verify_tls
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        elif username is not None:
            self._auth = (username, password.get_secret_value() if password else "")
        given = [secret.get_secret_value() for secret in (token, password) if secret is not None]
        self._secrets = tuple(secret for secret in (*given, *(headers or {}).values()) if secret)

    def query(self, path: str, query: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Ask `/api/v1/query` or `/api/v1/query_range`. Raises NoAnswer, BadAnswer."""
        method = "POST" if len(query) > LONG_QUERY else "GET"
        limit = f"{self.timeout.total_seconds():g}"
        return self.document(method, f"{self.url}{path}", {"query": query, "timeout": limit, **params})

    def document(self, method: str, url: str, params: Mapping[str, str]) -> dict[str, Any]:
        """The whole JSON document of a good answer. Raises NoAnswer, BadAnswer."""
        answer = fetch(
            url,
            method=method,
            params=params if method == "GET" else None,
            data=params if method == "POST" else None,
            headers={"Accept": "application/json", **self._headers},
            auth=self._auth,
            verify=self._verify,
            timeout=self.timeout,
            limit=LIMIT,
        )
        return read_answer(answer)

    def words(self, error: Exception) -> str:
        """What went wrong and where, without credentials."""
        said = mask(str(error), self._secrets)
        if isinstance(error, NoAnswer):
            return f"{self.name} did not answer: {said}. Is it running, and can this machine reach it?"
        return f"{self.name}: {said}"
