"""Prometheus' memory, from literal answers of its API: whole and exact, or an error. The real one is in tests/real."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from werkzeug import Request, Response

from tests.observe.wire import closed_port, http
from watchdog.errors import Refused, Unavailable
from watchdog.observe.prometheus.api import PrometheusApi
from watchdog.observe.prometheus.history import PrometheusHistory

START = datetime(2026, 1, 1, tzinfo=UTC)
T0 = START.timestamp()
SUM = {"sel": "requests_total"}
NAMED = {"__name__": "requests_total"}


def at(**after) -> datetime:
    return START + timedelta(**after)


def matrix(*series) -> dict:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}}


def floats(labels, *pairs) -> dict:
    return {"metric": labels, "values": [[T0 + after, value] for after, value in pairs]}


class Prometheus:
    """Answers what the test says, and keeps what it was asked."""

    def __init__(self, httpserver) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer = lambda asked: matrix()
        self.api = PrometheusApi(httpserver.url_for("").rstrip("/"))
        self.history = PrometheusHistory(self.api)

        def handle(request: Request) -> Response:
            asked = {"path": request.path, **request.args, **request.form}
            self.asked.append(asked)
            answer = self.answer(asked)
            if isinstance(answer, Response):
                return answer
            return Response(json.dumps(answer), content_type="application/json")

        httpserver.expect_request(re.compile("/api/.*")).respond_with_handler(handle)

    def says(self, document, status=200) -> None:
        self.answer = lambda _: Response(json.dumps(document), status=status, content_type="application/json")


@pytest.fixture
def prometheus(httpserver) -> Prometheus:
    return Prometheus(httpserver)


def samples(series) -> list[tuple[float, float]]:
    return [(when - T0, value) for when, value in zip(series.at, series.values, strict=True)]


def test_raw_samples_come_with_their_own_times_and_all_labels(prometheus):
    pod = {"__name__": "requests_total", "instance": "10.0.0.1:80", "pod": "shop-1"}
    prometheus.says(matrix(floats(pod, (15.123, "7"), (30.124, "9"), (45.123, "2"), (60.1, "NaN"))))
    (series,) = prometheus.history.series({"sel": 'requests_total{job="shop"}'}, START, at(minutes=5))["sel"]
    assert series.labels == pod
    assert [round(when, 3) for when, _ in samples(series)] == [15.123, 30.124, 45.123, 60.1]
    assert list(series.values[:3]) == [7, 9, 2]  # the reset is left as it is
    assert math.isnan(series.values[3])
    assert prometheus.asked == [
        {
            "path": "/api/v1/query",
            "query": 'requests_total{job="shop"}[300000ms]',
            "time": f"{T0 + 300:.3f}",
            "timeout": "5",
        }
    ]


def test_events_of_a_total_are_one_request(prometheus):
    ok, bad = ({"__name__": "requests_total", "code": code} for code in ("200", "500"))
    prometheus.says(matrix(floats(ok, (15, "5")), floats(bad, (15, "1"))))
    found = prometheus.history.series(
        {"events": 'requests_total{code=~"5.."}', "total": "requests_total"}, START, at(minutes=1)
    )
    assert len(prometheus.asked) == 1
    assert [series.labels["code"] for series in found["events"]] == ["500"]
    assert [series.labels["code"] for series in found["total"]] == ["200", "500"]
    assert found["events"][0].at == found["total"][0].at  # of the same scrape


def test_a_day_is_asked_in_pieces_that_hold_each_sample_once(prometheus):
    def answer(asked):
        end = float(asked["time"])
        seconds = int(asked["query"].removeprefix("requests_total[").removesuffix("ms]")) / 1000
        # Both ends of the range are in the answer, as in Prometheus 2.
        times = [when for when in range(round(T0) - 60, round(T0) + 90_000, 60) if end - seconds <= when <= end]
        return matrix({"metric": NAMED, "values": [[when, str(when)] for when in times]})

    prometheus.answer = answer
    (series,) = prometheus.history.series(SUM, START, at(hours=24))["sel"]
    assert list(series.at) == [T0 + 60 * n for n in range(1, 24 * 60 + 1)]
    assert series.at == series.values
    assert len(prometheus.asked) == 12


def test_a_piece_that_is_too_large_is_asked_in_smaller_ones(prometheus):
    def answer(asked):
        if float(asked["query"].removeprefix("requests_total[").removesuffix("ms]")) > 30 * 60_000:
            said = {
                "status": "error",
                "errorType": "execution",
                "error": "query processing would load too many samples",
            }
            return Response(json.dumps(said), status=422, content_type="application/json")
        return matrix({"metric": NAMED, "values": [[float(asked["time"]), "1"]]})

    prometheus.answer = answer
    (series,) = prometheus.history.series(SUM, START, at(hours=2))["sel"]
    assert [when for when, _ in samples(series)] == [1800, 3600, 5400, 7200]


def test_more_than_may_be_held_is_refused_with_what_to_do(prometheus):
    history = PrometheusHistory(prometheus.api, most=100)
    prometheus.says(matrix(floats({}, *((n, "1") for n in range(1, 102)))))
    with pytest.raises(Refused, match=r"more than 100 samples .* narrow the selector.*: requests_total"):
        history.series(SUM, START, at(minutes=5))


def test_never_small_enough_is_refused(prometheus):
    prometheus.says({"status": "error", "errorType": "execution", "error": "would load too many samples"}, 422)
    with pytest.raises(Refused, match=r"too many samples.*: requests_total"):
        prometheus.history.series(SUM, START, at(hours=2))
    assert len(prometheus.asked) == 7  # 2 h, 1 h, … to some 2 min


def test_all_pieces_together_have_a_time_limit(prometheus):
    history = PrometheusHistory(prometheus.api, whole=timedelta(0))
    with pytest.raises(Unavailable, match="reading requests_total from 1d took longer than 0s, and is not complete"):
        history.series(SUM, START, at(days=1))


@pytest.mark.parametrize(
    ("document", "status", "error", "words"),
    [
        (
            {"status": "error", "errorType": "bad_data", "error": "parse error"},
            400,
            Refused,
            "refuses the query: parse",
        ),
        ({"status": "error", "error": "no"}, 403, Refused, "does not accept our credentials"),
        ({"status": "error", "errorType": "timeout", "error": "timed out"}, 503, Unavailable, "timed out"),
        ({**matrix(), "warnings": ["a store is down"]}, 200, Unavailable, "may not be whole: a store is down"),
        ({"status": "success", "data": {"resultType": "vector", "result": []}}, 200, Unavailable, "a matrix was asked"),
        ({"status": "success", "data": []}, 200, Unavailable, "no `data`"),
        (matrix({"values": []}), 200, Unavailable, "no `metric`"),
        (matrix({"metric": {}, "values": {"a": 1}}), 200, Unavailable, "not a list"),
        (matrix({"metric": {}, "values": [[1, 1]]}), 200, Unavailable, "not [time, text]"),
        (matrix({"metric": {}, "values": [["x", "1"]]}), 200, Unavailable, "has no time"),
        (matrix({"metric": {}, "histograms": [[T0 + 5, {"sum": "3"}]]}), 200, Unavailable, "does not read"),
        (matrix({"metric": {}, "histograms": [5]}), 200, Unavailable, "not [time, histogram]"),
    ],
)
def test_what_is_no_whole_answer_is_an_error(prometheus, document, status, error, words):
    prometheus.says(document, status)
    with pytest.raises(error, match=re.escape(words)):
        prometheus.history.series(SUM, START, at(minutes=5))


def test_down_slow_or_cut_off_is_unavailable(wire):
    down = PrometheusHistory(PrometheusApi(f"http://127.0.0.1:{closed_port()}"))
    with pytest.raises(Unavailable, match="did not answer: connection refused"):
        down.series(SUM, START, at(minutes=5))
    wire.hangs()
    slow = PrometheusHistory(PrometheusApi(wire.url, timedelta(seconds=1)))
    with pytest.raises(Unavailable, match=r"no whole answer within 1s"):
        slow.evaluate("up", START, at(minutes=5), timedelta(seconds=15))
    wire.says(http(json.dumps(matrix()), kind="application/json", length=5000))
    with pytest.raises(Unavailable, match="broke off"):
        PrometheusHistory(PrometheusApi(wire.url)).series(SUM, START, at(minutes=5))


def test_errors_tell_no_credentials(prometheus, httpserver):
    url = httpserver.url_for("").replace("http://", "http://me:hunter2@").rstrip("/")
    prometheus.says({"status": "error", "errorType": "bad_data", "error": "token t0ken-t0ken is bad"}, 400)
    history = PrometheusHistory(PrometheusApi(url, token=SecretStr("t0ken-t0ken")))
    with pytest.raises(Refused) as caught:
        history.series(SUM, START, at(minutes=5))
    assert "t0ken" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_expression_at_each_step(prometheus):
    prometheus.says(matrix(floats({"pod": "a"}, (0, "0.5"), (15, "NaN"), (45, "0.75"))))
    (series,) = prometheus.history.evaluate("cpu", START, at(seconds=45), timedelta(seconds=15))
    assert [when for when, _ in samples(series)] == [0, 15, 45]
    assert prometheus.asked[0] == {
        "path": "/api/v1/query_range",
        "query": "cpu",
        "start": f"{T0:.3f}",
        "end": f"{T0 + 45:.3f}",
        "step": "15",
        "timeout": "5",
    }


def test_more_steps_than_one_request_may_have(prometheus):
    def answer(asked):
        start, end, step = (float(asked[name]) for name in ("start", "end", "step"))
        points = math.floor((end - start) / step) + 1
        assert points <= 11_000
        return matrix({"metric": {}, "values": [[start + n * step, "1"] for n in range(points)]})

    prometheus.answer = answer
    (series,) = prometheus.history.evaluate("cpu", START, at(days=4), timedelta(seconds=15))
    assert list(series.at) == [T0 + 15 * n for n in range(4 * 5760 + 1)]
    assert len(prometheus.asked) == 3


def test_an_expression_that_gives_histograms_is_no_number(prometheus):
    prometheus.says(matrix({"metric": {}, "histograms": [[T0, {"count": "1", "sum": "1"}]]}))
    with pytest.raises(Unavailable, match="a native histogram, not a number; use histogram_quantile"):
        prometheus.history.evaluate("latency", START, at(minutes=5), timedelta(seconds=15))


def test_a_long_query_is_posted(prometheus):
    prometheus.history.evaluate(" or ".join(["up"] * 500), START, at(minutes=5), timedelta(seconds=15))
    assert prometheus.asked[0]["query"].startswith("up or up")


def native(after, count, *buckets) -> list:
    rows = [[0, str(left), str(right), str(counted)] for left, right, counted in buckets]
    return [T0 + after, {"count": str(count), "sum": "1.5", **({"buckets": rows} if rows else {})}]


NATIVE = {"__name__": "latency_seconds", "pod": "a"}


def edges(found) -> dict[str, list[float]]:
    return {series.labels["le"]: list(series.values) for series in found}


def test_a_native_histogram_becomes_the_classic_series_of_the_same_selector(prometheus):
    first, second = native(15, 5, (0.5, 1, 2), (2, 4, 3)), native(30, 8, (0.5, 1, 4), (1, 2, 1), (2, 4, 3))
    prometheus.says(matrix({"metric": NATIVE, "histograms": [native(10, 0), first, second]}))
    found = prometheus.history.series({"b": "latency_seconds_bucket"}, START, at(minutes=5))["b"]
    assert prometheus.asked[0]["query"] == '{__name__=~"latency_seconds|latency_seconds_bucket"}[300000ms]'
    assert edges(found) == {"0.5": [0, 0, 0], "1": [0, 2, 4], "2": [0, 2, 5], "4": [0, 5, 8], "+Inf": [0, 5, 8]}
    assert {series.labels["__name__"] for series in found} == {"latency_seconds_bucket"}
    assert {series.labels["pod"] for series in found} == {"a"}
    assert [list(series.at) for series in found] == [[T0 + 10, T0 + 15, T0 + 30]] * 5


def test_edges_inside_a_wider_bucket_are_left_out_so_that_no_count_is_guessed(prometheus):
    fine, wide = native(15, 5, (0.5, 1, 2), (1, 2, 3)), native(30, 9, (0.25, 1, 4), (1, 4, 5))
    prometheus.says(matrix({"metric": NATIVE, "histograms": [fine, wide]}))
    found = prometheus.history.series({"b": "latency_seconds_bucket"}, START, at(minutes=5))["b"]
    assert edges(found) == {"0.25": [0, 0], "1": [2, 4], "4": [5, 9], "+Inf": [5, 9]}


def test_a_native_histogram_counts_as_the_classic_one_does(prometheus):
    prometheus.says(matrix({"metric": NATIVE, "histograms": [native(15, 5, (0.5, 1, 5))]}))
    selectors = {"n": "latency_seconds_count", "b": "latency_seconds"}
    found = prometheus.history.series(selectors, START, at(minutes=5))
    assert [(dict(s.labels), list(s.values)) for s in found["n"]] == [
        ({"__name__": "latency_seconds_count", "pod": "a"}, [5])
    ]
    assert list(edges(found["b"])) == ["0.5", "1", "+Inf"]


def test_a_histogram_scraped_in_both_forms_counts_once(prometheus):
    classic = {"__name__": "latency_seconds_bucket", "le": "+Inf", "pod": "a"}
    prometheus.says(matrix(floats(classic, (15, "5")), {"metric": NATIVE, "histograms": [native(15, 5, (0.5, 1, 5))]}))
    found = prometheus.history.series({"b": "latency_seconds_bucket"}, START, at(minutes=5))["b"]
    assert [dict(series.labels) for series in found] == [classic]


def test_the_buckets_of_native_histograms_count_against_the_bound(prometheus):
    many = native(15, 100, *((n, n + 1, 1) for n in range(100)))
    prometheus.says(matrix({"metric": NATIVE, "histograms": [many]}))
    with pytest.raises(Refused, match="more than 250 samples"):
        PrometheusHistory(prometheus.api, most=250).series({"b": "latency_seconds_bucket"}, START, at(minutes=5))


def presence(**values) -> dict:
    return matrix(*(floats({"version": v}, *((60 * n, "1") for n in minutes)) for v, minutes in values.items()))


def test_deploys_are_the_changes_of_a_version_label_to_the_second(prometheus):
    def answer(asked):
        if asked["step"] == "60":
            return presence(v1=range(10), v2=range(8, 60))
        assert float(asked["start"]) == T0 + 7 * 60
        return matrix(
            floats({"version": "v1"}, *((420 + n, "1") for n in range(61))),
            floats({"version": "v2"}, *((452 + n, "1") for n in range(29))),
        )

    prometheus.answer = answer
    found = prometheus.history.deploys_by_label('up{job="shop"}', "version", START, at(hours=1))
    assert found == ((at(seconds=452), "v2"),)
    assert prometheus.asked[0]["query"] == 'count by (version) (up{job="shop"})'


def test_a_label_that_cannot_be(prometheus):
    with pytest.raises(Refused, match=r"'1\) or \(up' is not a label name"):
        prometheus.history.deploys_by_label("up", "1) or (up", START, at(hours=1))
    assert prometheus.asked == []
