"""Prometheus as a source of numbers: instant queries, and alerts by name. Reads, changes nothing.

Built on prometheus-api-client, with our own request underneath it: one try, a time limit for the whole answer, a
limit on its size, and every failure as an error in words. Nothing in it tells credentials.

Queries are evaluated at Prometheus' own "now": no `time` is sent, so that a clock of ours that is ahead does not ask
for samples that are not there yet, and one that is behind does not judge the version before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from watchdog.model.masking import mask
from watchdog.model.measurement import Observation, Sample
from watchdog.model.rule import AlertMeasure, Measure, PrometheusMeasure
from watchdog.observe.fetch import NoAnswer, fetch, shown
from watchdog.observe.promql import BadAnswer, alert_names, alert_query, read_answer, samples_of

LIMIT = 16 * 1024 * 1024
"""Bytes of an answer: some 80,000 series. Reading JSON takes several times its size in memory."""

_LONG_QUERY = 1500  # characters; longer ones are POSTed, since proxies limit the length of a URL


class PrometheusGauge:
    """Measures `prometheus` and `alert` rules. Safe to use from several threads.

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
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._headers = dict(headers or {})
        self._auth: tuple[str, str] | None = None
        self._verify = verify_tls
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        elif username is not None:
            self._auth = (username, password.get_secret_value() if password else "")
        given = [secret.get_secret_value() for secret in (token, password) if secret is not None]
        self._secrets = tuple(secret for secret in (*given, *(headers or {}).values()) if secret)
        self._name = f"Prometheus at {shown(self._url)}"

    def measure(self, measure: Measure, now: datetime) -> Observation:
        """One instant query. An alert that does not fire is one sample of 0."""
        began = time.monotonic()
        query = ""
        try:
            query = _query(measure)
            samples = self._ask(query)
        except (NoAnswer, BadAnswer) as error:
            took = timedelta(seconds=time.monotonic() - began)
            return Observation(query=query, error=self._words(error), took=took)
        if isinstance(measure, AlertMeasure) and not samples:
            samples = (Sample(value=0, labels={"alertname": measure.name}),)
        return Observation(query=query, samples=samples, took=timedelta(seconds=time.monotonic() - began))

    def check(self, measure: Measure) -> Sequence[str]:
        """What is wrong with asking this now. A line that begins with `note:` is worth knowing, but not wrong."""
        try:
            query = _query(measure)
            samples = self._ask(query)
            if isinstance(measure, AlertMeasure):
                return self._check_alert(measure.name)
        except (NoAnswer, BadAnswer) as error:
            return [self._words(error)]
        return [] if samples else [f"note: returns no series now: {query}"]

    def ready(self) -> str | None:
        """None if queries are answered; else why not."""
        try:
            self._ask("1")
        except (NoAnswer, BadAnswer) as error:
            return self._words(error)
        return None

    def _check_alert(self, name: str) -> Sequence[str]:
        """An alert nobody defined never fires: that is worth a word before it is relied on."""
        try:
            known = alert_names(self._fetch("GET", f"{self._url}/api/v1/rules", {"type": "alert"}))
        except (NoAnswer, BadAnswer) as error:  # VictoriaMetrics has its rules elsewhere (vmalert)
            return [f"note: cannot tell whether an alert named {name!r} exists: {self._words(error)}"]
        if name in known:
            return []
        listed = ", ".join(sorted(known)[:20]) or "none"
        return [f"note: {self._name} has no alert named {name!r}, so it can never fire; it has: {listed}"]

    def _ask(self, query: str) -> tuple[Sample, ...]:
        from prometheus_api_client import PrometheusConnect  # noqa: PLC0415 - only who uses Prometheus pays for it

        exchange = _Exchange(self._fetch)
        method = "POST" if len(query) > _LONG_QUERY else "GET"
        client = PrometheusConnect(url=self._url, session=exchange, method=method)
        client.custom_query(query, params={"timeout": f"{self._timeout.total_seconds():g}"})
        # The client returns only `data.result`; whether that is a vector is said beside it.
        return samples_of(exchange.document)

    def _words(self, error: Exception) -> str:
        said = mask(str(error), self._secrets)
        if isinstance(error, NoAnswer):
            return f"{self._name} did not answer: {said}. Is it running, and can this machine reach it?"
        return f"{self._name}: {said}"

    def _fetch(self, method: str, url: str, params: Mapping[str, str]) -> dict[str, Any]:
        answer = fetch(
            url,
            method=method,
            params=params if method == "GET" else None,
            data=params if method == "POST" else None,
            headers={"Accept": "application/json", **self._headers},
            auth=self._auth,
            verify=self._verify,
            timeout=self._timeout,
            limit=LIMIT,
        )
        return read_answer(answer)


class _Exchange:
    """Stands where PrometheusConnect expects a requests session and its response: makes our bounded request instead,
    and keeps the whole document."""

    verify = True
    cert = None
    status_code = 200

    def __init__(self, fetch_document: Callable[[str, str, Mapping[str, str]], dict[str, Any]]) -> None:
        self._fetch_document = fetch_document
        self.document: dict[str, Any] = {}

    def mount(self, prefix: str, adapter: object) -> None:
        """The client's adapter would try again three times, each with a time limit of its own: not used."""

    def request(self, *, method: str, url: str, params: Mapping[str, str], **_: object) -> _Exchange:
        self.document = self._fetch_document(method, url, params)
        return self

    def json(self) -> dict[str, Any]:
        """The client takes `data.result`; its shape is checked by `samples_of`."""
        inner = self.document.get("data")
        return {"data": {"result": inner.get("result") if isinstance(inner, dict) else None}}


def _query(measure: Measure) -> str:
    if isinstance(measure, PrometheusMeasure):
        return measure.query
    if isinstance(measure, AlertMeasure):
        return alert_query(measure)
    raise TypeError(f"Prometheus cannot measure {measure.kind!r}")
