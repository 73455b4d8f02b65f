"""Prometheus as a source of numbers: instant queries, and alerts by name. Reads, changes nothing.

Built on prometheus-api-client, with our own request (prometheus_api.py) underneath it.

Queries are evaluated at Prometheus' own "now": no `time` is sent, so that a clock of ours that is ahead does not ask
for samples that are not there yet, and one that is behind does not judge the version before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchdog.model.measurement import Observation, Sample
from watchdog.model.rule import AlertMeasure, Measure, PrometheusMeasure
from watchdog.observe.fetch import NoAnswer
from watchdog.observe.prometheus.api import LONG_QUERY, PrometheusApi
from watchdog.observe.prometheus.promql import BadAnswer, alert_names, alert_query, samples_of


class PrometheusGauge(PrometheusApi):
    """Measures `prometheus` and `alert` rules. Safe to use from several threads."""

    def measure(self, measure: Measure, now: datetime) -> Observation:
        """One instant query. An alert that does not fire is one sample of 0."""
        began = time.monotonic()
        query = ""
        try:
            query = _query(measure)
            samples = self._ask(query)
        except (NoAnswer, BadAnswer) as error:
            took = timedelta(seconds=time.monotonic() - began)
            return Observation(query=query, error=self.words(error), took=took)
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
            return [self.words(error)]
        return [] if samples else [f"note: returns no series now: {query}"]

    def ready(self) -> str | None:
        """None if queries are answered; else why not."""
        try:
            self._ask("1")
        except (NoAnswer, BadAnswer) as error:
            return self.words(error)
        return None

    def _check_alert(self, name: str) -> Sequence[str]:
        """An alert nobody defined never fires: that is worth a word before it is relied on."""
        try:
            known = alert_names(self.document("GET", f"{self.url}/api/v1/rules", {"type": "alert"}))
        except (NoAnswer, BadAnswer) as error:  # VictoriaMetrics has its rules elsewhere (vmalert)
            return [f"note: cannot tell whether an alert named {name!r} exists: {self.words(error)}"]
        if name in known:
            return []
        listed = ", ".join(sorted(known)[:20]) or "none"
        return [f"note: {self.name} has no alert named {name!r}, so it can never fire; it has: {listed}"]

    def _ask(self, query: str) -> tuple[Sample, ...]:
        from prometheus_api_client import PrometheusConnect  # noqa: PLC0415 - only who uses Prometheus pays for it

        exchange = _Exchange(self.document)
        method = "POST" if len(query) > LONG_QUERY else "GET"
        client = PrometheusConnect(url=self.url, session=exchange, method=method)
        client.custom_query(query, params={"timeout": f"{self.timeout.total_seconds():g}"})
        # The client returns only `data.result`; whether that is a vector is said beside it.
        return samples_of(exchange.document)


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
