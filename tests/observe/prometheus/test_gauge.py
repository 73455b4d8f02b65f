"""Prometheus' answers: numbers from the good ones, words for all others. The real program is asked in tests/real."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr
from werkzeug import Request, Response

from tests.observe.wire import closed_port, http
from watchdog.model.rule import AlertMeasure, PrometheusMeasure
from watchdog.observe.prometheus.gauge import PrometheusGauge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUERY = PrometheusMeasure(query="up")
JSON = "application/json"


def success(kind: str, result, **more) -> dict:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


def vector(*series) -> dict:
    return success("vector", [{"metric": labels, "value": [1.5, value]} for value, labels in series])


def ask(server, measure=QUERY, **options):
    return PrometheusGauge(server.url_for("").rstrip("/"), **options).measure(measure, NOW)


def answering(httpserver, document, status=200, path="/api/v1/query"):
    httpserver.expect_request(path).respond_with_json(document, status=status)
    return httpserver


def test_each_series_of_a_vector_is_a_sample(httpserver):
    answering(httpserver, vector(("1.5", {"job": "a"}), ("NaN", {"job": "b"}), ("+Inf", {}), ("-Inf", {"c": "d"})))
    observation = ask(httpserver)
    assert observation.query == "up"
    assert observation.error is None
    assert [s.labels for s in observation.samples] == [{"job": "a"}, {"job": "b"}, {}, {"c": "d"}]
    assert [str(s.value) for s in observation.samples] == ["1.5", "nan", "inf", "-inf"]


def test_a_scalar_is_one_sample(httpserver):
    answering(httpserver, success("scalar", [1.5, "42"]))
    assert [s.value for s in ask(httpserver).samples] == [42]


def test_an_empty_vector_is_no_data_not_an_error(httpserver):
    answering(httpserver, vector())
    observation = ask(httpserver)
    assert (observation.samples, observation.error) == ((), None)


def test_10_000_series(httpserver):
    answering(httpserver, vector(*(("1", {"i": str(i), "instance": "10.0.0.1:8080"}) for i in range(10_000))))
    assert len(ask(httpserver).samples) == 10_000


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (success("matrix", []), "returns ranges; put it into a function"),
        (success("string", [1, "x"]), "returns a string"),
        (success("streams", []), "of the kind 'streams'"),
        (success("vector", {}), "a vector or scalar is needed"),
        (success("vector", [{"value": [1, "1"]}]), "no `metric`"),
        (success("vector", ["x"]), "no `metric`"),
        (success("vector", [{"metric": {}, "value": [1, 1]}]), "not [time, text]"),
        (success("vector", [{"metric": {}, "value": [1, "one"]}]), "not a number: 'one'"),
        (success("vector", [{"metric": {}, "histogram": [1, {}]}]), "native histogram"),
        (success("scalar", None), "not [time, text]"),
        ({"status": "success"}, "no `data`"),
        ({"status": "success", "data": []}, "no `data`"),
        ([1, 2], "not Prometheus'"),
        (None, "not Prometheus'"),
        ({}, "HTTP 200: no reason given"),
        ({**vector(("1", {})), "warnings": ["partial response: store x"]}, "partial response: store x"),
        ({**vector(("1", {})), "isPartial": True}, "the response is partial"),
    ],
)
def test_other_answers_are_errors(httpserver, document, words):
    observation = ask(answering(httpserver, document))
    assert observation.samples == ()
    assert words in observation.error


def test_infos_are_no_errors(httpserver):
    answering(httpserver, {**vector(("1", {})), "infos": ["metric might not be a counter"]})
    assert ask(httpserver).error is None


@pytest.mark.parametrize(
    ("status", "document", "words"),
    [
        (
            400,
            {"status": "error", "errorType": "bad_data", "error": "1:5: parse error"},
            "refuses the query: 1:5: parse",
        ),
        (422, {"status": "error", "errorType": "422", "error": "cannot parse"}, "refuses the query: cannot parse"),
        (
            503,
            {"status": "error", "errorType": "timeout", "error": "query timed out"},
            "HTTP 503 (timeout): query timed",
        ),
        (500, {"status": "error", "errorType": "internal", "error": "boom"}, "HTTP 500 (internal): boom"),
        (401, {"message": "go away"}, "does not accept our credentials (HTTP 401): go away"),
        (404, {}, "HTTP 404: no reason given"),
        (200, {"status": "error", "error": "odd"}, "odd"),
    ],
)
def test_a_refusal_says_what_prometheus_said(httpserver, status, document, words):
    assert words in ask(answering(httpserver, document, status)).error
    assert len(httpserver.log) == 1  # asked once: no hidden retries


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http("<html>Login</html>", kind="text/html"), "HTML page instead of JSON"),
        (http("<html>Bad gateway</html>", "502 Bad Gateway", kind="text/html"), "502 with an HTML page"),
        (http("", "302 Found\r\nLocation: https://sso/login"), "redirects (302)"),
        (http('{"status":"success","data":{"resultTy', kind=JSON), "not with valid JSON"),
        (http("[" * 100_000, kind=JSON), "not with valid JSON"),
        (http("", kind=JSON), "not with valid JSON"),
        (http("no healthy upstream", "503 Service Unavailable"), "beginning 'no healthy upstream'"),
        (http('{"status"', kind=JSON, length=1000), "broke off"),
        (b"", "closed the connection without an answer"),
        (b"\x00garbage", "not valid HTTP"),
    ],
)
def test_nonsense_is_an_error(wire, answer, words):
    wire.says(answer)
    error = PrometheusGauge(wire.url).measure(QUERY, NOW).error
    assert words in error
    assert wire.url in error


def test_down():
    url = f"http://127.0.0.1:{closed_port()}"
    gauge = PrometheusGauge(url)
    words = f"Prometheus at {url} did not answer: connection refused. Is it running, and can this machine reach it?"
    assert gauge.measure(QUERY, NOW).error == words
    assert gauge.ready() == words
    assert gauge.check(QUERY) == [words]


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"])
def test_slow_is_an_error_at_the_time_limit(wire, start):
    wire.drips(b" ", start)
    error = PrometheusGauge(wire.url, timedelta(seconds=0.3)).measure(QUERY, NOW).error
    assert "no whole answer within 0.3s" in error


def test_a_gigantic_answer_is_an_error(wire):
    wire.floods(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[", b"1," * 50_000, 400)
    error = PrometheusGauge(wire.url, timedelta(seconds=600)).measure(QUERY, NOW).error
    assert "larger than 16 MiB" in error


def test_what_is_sent(httpserver):
    answering(httpserver, vector())
    ask(httpserver, timeout=timedelta(seconds=2.5), token=SecretStr("t0ken"), headers={"X-Scope-OrgID": "shop"})
    request: Request = httpserver.log[0][0]
    assert request.args.to_dict() == {"query": "up", "timeout": "2.5"}  # and no `time`: Prometheus' own clock counts
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.headers["X-Scope-OrgID"] == "shop"


def test_basic_authentication(httpserver):
    answering(httpserver, vector())
    ask(httpserver, username="u", password=SecretStr("hunter2"))
    assert httpserver.log[0][0].authorization.password == "hunter2"


def test_a_long_query_is_posted(httpserver):
    seen = []

    def answer(request: Request) -> Response:
        seen.append((request.method, request.query_string, parse_qs(request.get_data(as_text=True))))
        return Response(json.dumps(vector(("1", {}))), content_type=JSON)

    httpserver.expect_request("/api/v1/query").respond_with_handler(answer)
    query = 'up{job=~"' + "x|" * 3000 + '"}'
    assert ask(httpserver, PrometheusMeasure(query=query)).error is None
    assert seen == [("POST", b"", {"query": [query], "timeout": ["5"]})]


def test_no_error_tells_credentials(wire):
    wire.says(http(json.dumps({"status": "error", "error": "bad token t0ken-t0ken hunter2"}), "400 Bad Request"))
    url = wire.url.replace("//", "//admin:hunter2@")
    gauge = PrometheusGauge(url, token=SecretStr("t0ken-t0ken"), password=SecretStr("hunter2"))
    error = gauge.measure(QUERY, NOW).error
    assert "t0ken" not in error
    assert "hunter2" not in error
    assert "bad token" in error


def test_a_path_in_front_of_the_api(httpserver):
    answering(httpserver, vector(("1", {})), path="/prom/api/v1/query")
    assert PrometheusGauge(httpserver.url_for("/prom/")).ready() is None


def test_an_alert_that_fires(httpserver):
    labels = {"__name__": "ALERTS", "alertname": "Slow", "pod": "a"}
    answering(httpserver, vector(("1", labels)))
    observation = ask(httpserver, AlertMeasure(name="Slow", labels={"pod": "a"}))
    assert observation.query == 'ALERTS{alertname="Slow",alertstate="firing",pod="a"}'
    assert [(s.value, s.labels) for s in observation.samples] == [(1, labels)]


def test_an_alert_that_does_not_fire_is_zero(httpserver):
    answering(httpserver, vector())
    observation = ask(httpserver, AlertMeasure(name='a"b\\'))
    assert observation.query == 'ALERTS{alertname="a\\"b\\\\",alertstate="firing"}'
    assert [(s.value, s.labels) for s in observation.samples] == [(0, {"alertname": 'a"b\\'})]


def test_an_alert_is_no_zero_when_prometheus_is_down():
    observation = PrometheusGauge(f"http://127.0.0.1:{closed_port()}").measure(AlertMeasure(name="x"), NOW)
    assert observation.samples == ()
    assert observation.error


def test_an_impossible_label_is_an_error(httpserver):
    assert "not a label name" in ask(httpserver, AlertMeasure(name="x", labels={"a b": "c"})).error


def test_check_tells_notes_from_errors(httpserver):
    answering(httpserver, vector())
    gauge = PrometheusGauge(httpserver.url_for(""))
    assert gauge.check(QUERY) == ["note: returns no series now: up"]
    assert gauge.ready() is None
    (line,) = gauge.check(AlertMeasure(name="Slow"))  # this server has no /api/v1/rules
    assert line.startswith("note: cannot tell whether an alert named 'Slow' exists")
    rules = {"status": "success", "data": {"groups": [{"rules": [{"name": "Slow"}]}]}}
    httpserver.expect_request("/api/v1/rules").respond_with_json(rules)
    assert gauge.check(AlertMeasure(name="Slow")) == []
    (line,) = gauge.check(AlertMeasure(name="Slwo"))
    assert "has no alert named 'Slwo', so it can never fire; it has: Slow" in line
