"""What Prometheus' HTTP API says, as samples: pure. And the query that stands for an alert.

The format: https://prometheus.io/docs/prometheus/latest/querying/api/ (VictoriaMetrics and Thanos keep to it).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from watchdog.model.masking import mask
from watchdog.model.measurement import Sample
from watchdog.model.rule import AlertMeasure
from watchdog.observe.fetch import Answer

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SHOWN = 500  # characters of a server's message that are kept


class BadAnswer(ValueError):
    """The answer is not one that samples can be read from; the message says what it is instead."""


class RefusedQuery(BadAnswer):
    """Prometheus will not answer this, now or later: a bad query, no right to ask."""


class TooMuch(RefusedQuery):
    """More than one answer may hold; a shorter stretch of time may do."""


def alert_query(measure: AlertMeasure) -> str:
    """The series Prometheus keeps of its firing alerts, as a selector. Raises BadAnswer for an impossible label."""
    wanted = {"alertname": measure.name, "alertstate": "firing", **measure.labels}
    for label in wanted:
        if not is_label(label):
            raise BadAnswer(f"{label!r} is not a label name that Prometheus can have")
    return "ALERTS{" + ",".join(f"{label}={_quoted(value)}" for label, value in wanted.items()) + "}"


def is_label(name: str) -> bool:
    """Whether series can have a label of that name, written without quotes."""
    return _LABEL.fullmatch(name) is not None


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def read_answer(answer: Answer) -> dict[str, Any]:
    """The whole JSON document of a good answer: status 200, `success`, complete. Raises BadAnswer for all others."""
    if 300 <= answer.status < 400:
        raise BadAnswer(f"it redirects ({answer.status}) instead of answering: is a login page in front of it?")
    if answer.cut:
        raise TooMuch(
            f"the answer is larger than {len(answer.body) // 2**20} MiB: let the query return fewer series (sum, topk)"
        )
    document = _json(answer)
    if answer.status != 200 or document.get("status") != "success":
        raise _refusal(answer.status, document)
    partial = [str(w) for w in document.get("warnings") or ()]
    if document.get("isPartial") is True:
        partial.append("the response is partial")
    if partial:
        # Part of the truth may be the part that looks well: it must neither pass nor fail a rule.
        raise BadAnswer(f"the answer came with a warning, so it may not be whole: {_short('; '.join(partial))}")
    return document


def _json(answer: Answer) -> dict[str, Any]:
    body = answer.body.lstrip()
    if answer.content_type in ("text/html", "application/xhtml+xml") or body.startswith(b"<"):
        raise BadAnswer(
            f"it answered {answer.status} with an HTML page instead of JSON: is this Prometheus' own address, "
            "and is no login page or proxy in between?"
        )
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        said = _short(body[:200].decode("utf-8", "replace"))
        raise BadAnswer(
            f"it answered {answer.status}, but not with valid JSON ({len(answer.body)} bytes, beginning {said!r})"
        ) from error
    if not isinstance(document, dict):
        raise BadAnswer(f"it answered {answer.status} with JSON that is not Prometheus' (no object)")
    return document


def _refusal(status: int, document: dict[str, Any]) -> BadAnswer:
    said = _short(str(document.get("error") or document.get("message") or "no reason given"))
    if status in (401, 403):
        return RefusedQuery(f"it does not accept our credentials (HTTP {status}): {said}")
    kind = document.get("errorType")
    if "too many samples" in said or "maxSamplesPerQuery" in said:  # Prometheus' words, and VictoriaMetrics'
        return TooMuch(f"it refuses the query: {said}")
    if kind == "bad_data" or status in (400, 422):
        return RefusedQuery(f"it refuses the query: {said}")
    return BadAnswer(f"it answered HTTP {status}{f' ({kind})' if kind else ''}: {said}")


def alert_names(document: dict[str, Any]) -> set[str]:
    """The names of the alerting rules in an answer of `/api/v1/rules?type=alert`. Raises BadAnswer."""
    try:
        return {str(rule["name"]) for group in document["data"]["groups"] for rule in group["rules"]}
    except (KeyError, TypeError) as error:
        raise BadAnswer("it does not list its alerting rules as Prometheus does") from error


def samples_of(document: dict[str, Any]) -> tuple[Sample, ...]:
    """The samples of a vector or a scalar. Raises BadAnswer for other kinds, and for what is not well-formed."""
    inner = document.get("data")
    if not isinstance(inner, dict):
        raise BadAnswer("the answer has no `data`")
    kind, result = inner.get("resultType"), inner.get("result")
    if kind == "scalar":
        return (Sample(value=_number(result)),)
    if kind == "matrix":
        raise BadAnswer("the query returns ranges; put it into a function such as rate(…) or max_over_time(…)")
    if kind == "string":
        raise BadAnswer("the query returns a string, not a number")
    if kind != "vector" or not isinstance(result, list):
        raise BadAnswer(f"the answer is of the kind {_short(str(kind))!r}; a vector or scalar is needed")
    return tuple(_sample(series) for series in result)


def _sample(series: Any) -> Sample:
    metric = series.get("metric") if isinstance(series, dict) else None
    if not isinstance(metric, dict):
        raise BadAnswer("a series of the answer has no `metric`")
    if "value" not in series and "histogram" in series:
        raise BadAnswer("a series is a native histogram, not a number; use histogram_quantile(…) or histogram_count(…)")
    return Sample(value=_number(series.get("value")), labels={str(k): str(v) for k, v in metric.items()})


def _number(pair: Any) -> float:
    """`[time, "value"]`; the value is text so that NaN and ±Inf can be said in JSON."""
    if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str)):
        raise BadAnswer(f"a value of the answer is not [time, text]: {_short(repr(pair))}")
    try:
        return float(pair[1])
    except ValueError as error:
        raise BadAnswer(f"a value of the answer is not a number: {_short(pair[1])!r}") from error


def numbers(pairs: Any) -> Iterator[tuple[float, float]]:
    """The (unix seconds, value) of a series' `values`. Raises BadAnswer."""
    if not isinstance(pairs, list):
        raise BadAnswer(f"the values of a series are not a list: {_short(repr(pairs)[:_SHOWN])}")
    for pair in pairs:
        value = _number(pair)
        if not isinstance(pair[0], (int, float)):
            raise BadAnswer(f"a value of the answer has no time: {_short(repr(pair))}")
        yield float(pair[0]), value


def _short(text: str) -> str:
    text = mask(" ".join(text.split()), ())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
