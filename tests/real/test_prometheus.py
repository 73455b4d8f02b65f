"""The real Prometheus: good and bad queries, alerts, 10,000 series, and its death in the middle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.components import require
from tests.real.prometheus_server import PROGRAM, PrometheusServer
from watchdog.model.rule import AlertMeasure, PrometheusMeasure
from watchdog.observe.prometheus.gauge import PrometheusGauge

pytestmark = pytest.mark.prometheus

# Far from now: the gauge must not send it.
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    require("prometheus", PROGRAM is not None)
    server = PrometheusServer(tmp_path_factory.mktemp("prometheus"))
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def gauge(prometheus: PrometheusServer) -> PrometheusGauge:
    return PrometheusGauge(prometheus.url, timedelta(seconds=10))


def ask(gauge: PrometheusGauge, query: str):
    return gauge.measure(PrometheusMeasure(query=query), NOW)


def test_several_series_with_their_labels(prometheus, gauge):
    prometheus.page.text = 'up_to{room="a"} 1\nup_to{room="b"} 2.5\ntemperature 20\n'
    prometheus.until(lambda: len(ask(gauge, "up_to").samples) == 2)
    observation = ask(gauge, 'sort(sum by (room) (up_to{job="service"}))')
    assert [(s.value, s.labels) for s in observation.samples] == [(1, {"room": "a"}), (2.5, {"room": "b"})]


def test_nan_infinity_scalars_and_nothing(gauge):
    (nan,) = ask(gauge, "0/0").samples
    assert math.isnan(nan.value)
    assert [s.value for s in ask(gauge, "vector(1) / 0").samples] == [math.inf]
    assert [s.value for s in ask(gauge, "40 + 2").samples] == [42]
    observation = ask(gauge, "no_such_series")
    assert (observation.samples, observation.error) == ((), None)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("up{", 'refuses the query: invalid parameter "query": 1:4: parse error: unexpected end of input'),
        ("rate(up)", "parse error: expected type range vector"),
        ("up[5m]", "returns ranges"),
        ('"text"', "returns a string"),
        (
            'up * on(instance) group_left vector(1) or label_replace(up, "a", "b", "c", "(")',
            "refuses the query: invalid regular expression",
        ),
    ],
)
def test_queries_that_are_none(gauge, query, words):
    error = ask(gauge, query).error
    assert words in error
    assert gauge.check(PrometheusMeasure(query=query)) == [error]


def test_a_query_longer_than_a_url(gauge):
    assert ask(gauge, " or ".join(["vector(1)"] * 1000)).error is None


def test_10_000_series(prometheus, gauge):
    prometheus.page.text = "temperature 20\n" + "".join(f'many{{i="{i}"}} {i}\n' for i in range(10_000))
    prometheus.until(lambda: ask(gauge, "count(many)").samples != ())
    assert len(ask(gauge, "many").samples) == 10_000
    prometheus.page.text = "temperature 20\n"


def test_alerts(prometheus, gauge):
    hot = AlertMeasure(name="Hot", labels={"severity": "page"})
    prometheus.page.text = "temperature 20\n"
    prometheus.until(lambda: [s.value for s in gauge.measure(hot, NOW).samples] == [0])
    prometheus.page.text = "temperature 35\n"
    prometheus.until(lambda: [s.value for s in gauge.measure(hot, NOW).samples] == [1])
    (sample,) = gauge.measure(hot, NOW).samples
    assert (sample.labels["alertname"], sample.labels["job"]) == ("Hot", "service")
    assert [s.value for s in gauge.measure(AlertMeasure(name="Cold"), NOW).samples] == [0]
    assert gauge.check(hot) == []
    (line,) = gauge.check(AlertMeasure(name="Warm"))
    assert "has no alert named 'Warm', so it can never fire; it has: Cold, Hot" in line


def test_killed_in_the_middle_and_started_again(prometheus, gauge):
    prometheus.until(lambda: ask(gauge, "temperature").samples != ())
    prometheus.kill()
    observation = ask(gauge, "temperature")
    assert observation.samples == ()
    assert observation.error.startswith(f"Prometheus at {prometheus.url} did not answer: connection refused")
    assert "did not answer" in gauge.ready()
    prometheus.start()
    assert gauge.ready() is None
    prometheus.until(lambda: ask(gauge, "temperature").samples != ())
