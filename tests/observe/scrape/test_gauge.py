"""Pages of metrics, read directly: what they say, and what is not one."""

from __future__ import annotations

import math
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from tests.observe.wire import closed_port, http
from tests.waiting import within
from watchdog.model.rule import HttpMeasure, Quantile, Ratio, ScrapeMeasure
from watchdog.observe.scrape.gauge import ScrapeGauge

START = datetime(2026, 1, 1, tzinfo=UTC)
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

PAGE = """\
# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200"} 100
http_requests_total{code="500"} 2 1767225600000
# TYPE jobs counter
jobs 5
# TYPE temperature gauge
temperature{room="a, \\"b\\" # {c}"} NaN
temperature{room="d"} +Inf
temperature 2.5e1
"""


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def seen(observation):
    assert observation.error is None, observation.error
    return [(sample.value, sample.labels) for sample in observation.samples]


def wrong(observation) -> str:
    assert observation.samples == ()
    return observation.error


def test_each_matching_series_is_a_sample(wire):
    wire.says(http(PAGE))
    measure = ScrapeMeasure(url=wire.url + "/metrics", value='temperature{room!~"a.*"}')
    observation = ScrapeGauge().measure(measure, START)
    assert seen(observation) == [
        (float("inf"), {"__name__": "temperature", "room": "d"}),
        (25.0, {"__name__": "temperature"}),
    ]
    assert observation.query == f'temperature{{room!~"a.*"}} at {wire.url}/metrics'


def test_nan_is_passed_on_for_the_judge_to_drop(wire):
    wire.says(http(PAGE))
    ((value, _),) = seen(ScrapeGauge().measure(ScrapeMeasure(url=wire.url, value='temperature{room=~"a.*"}'), START))
    assert math.isnan(value)


def test_names_stay_as_they_are_on_the_page(wire):
    wire.says(http(PAGE))
    gauge = ScrapeGauge()
    assert seen(gauge.measure(ScrapeMeasure(url=wire.url, value="jobs"), START)) == [(5, {"__name__": "jobs"})]
    assert seen(gauge.measure(ScrapeMeasure(url=wire.url, value="jobs_total"), START)) == []
    assert len(seen(gauge.measure(ScrapeMeasure(url=wire.url, value="http_requests_total"), START))) == 2


def test_openmetrics_with_exemplars_and_histograms(wire):
    page = (
        "# TYPE other gauge\nother 1\n"
        '# TYPE lat histogram\nlat_bucket{le="0.1"} 8 # {trace_id="x"} 0.05\nlat_bucket{le="+Inf"} 10\n'
        "lat_count 10\nlat_sum 1.5\nlat_created 1\n"
        '# HELP http_requests x\n# TYPE http_requests counter\nhttp_requests_total 7 # {a="b"} 1\n# EOF\n'
    )
    wire.says(http(page, kind=OPENMETRICS))
    gauge = ScrapeGauge()
    assert seen(gauge.measure(ScrapeMeasure(url=wire.url, value="http_requests_total"), START))[0][0] == 7
    assert seen(gauge.measure(ScrapeMeasure(url=wire.url, value='lat_bucket{le="0.1"}'), START))[0][0] == 8
    assert seen(gauge.measure(ScrapeMeasure(url=wire.url, value="lat_count"), START))[0][0] == 10
    assert seen(gauge.measure(ScrapeMeasure(url=wire.url, value="other"), START))[0][0] == 1
    assert seen(gauge.measure(ScrapeMeasure(url=wire.url, value="nope"), START)) == []


def test_windows_line_ends(wire):
    wire.says(http("up 1\r\nother 2\r\n"))
    assert seen(ScrapeGauge().measure(ScrapeMeasure(url=wire.url, value="up"), START))[0][0] == 1


def test_metric_names_in_quotes(wire):
    wire.says(http('{"up",a="b"} 1\n{"some.name"} 2\n'))
    assert seen(ScrapeGauge().measure(ScrapeMeasure(url=wire.url, value="up"), START)) == [
        (1, {"__name__": "up", "a": "b"})
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http("<!DOCTYPE html><html>up 1</html>"), "this is an HTML page"),
        (http("up 1\n", kind="text/html"), "this is an HTML page"),
        (http('{"status": "ok"}', kind="application/json"), "JSON, not a page of metrics"),
        (http("OK"), "not a page of metrics"),
        (http(""), "the page is empty"),
        (http("up 1\n", "503 Service Unavailable"), "HTTP 503 instead of 200"),
        (http("", "302 Found\r\nLocation: /login"), "HTTP 302 instead of 200"),
        (http("up 1\n", kind="application/vnd.google.protobuf; proto=x"), "protobuf"),
        (http("up 1\n", kind=OPENMETRICS), "does not"),
        (b"HTTP/1.1 200 OK\r\n\r\nother 1\nup 12", "its last line has no end"),
        (http('up{a="b} 1\n'), "a line of up is damaged"),
        (http("up one\nother 1\n"), "not a page of metrics"),
        (http("other 1\nup one\n"), "a line of up is damaged"),
        (http("up 1\n", length=100), "broke off"),
    ],
)
def test_what_is_no_page_is_an_error(wire, answer, words):
    wire.says(answer)
    assert words in wrong(ScrapeGauge().measure(ScrapeMeasure(url=wire.url, value="up"), START))


def test_refused_is_an_error_not_a_zero():
    url = f"http://u:hunter2@127.0.0.1:{closed_port()}/metrics"
    error = wrong(ScrapeGauge().measure(ScrapeMeasure(url=url, value="up"), START))
    assert error.endswith("/metrics could not be scraped: connection refused")
    assert "hunter2" not in error


def test_a_drip_is_an_error_in_time(wire):
    wire.drips(b"up 1\n", b"HTTP/1.1 200 OK\r\n\r\n")
    measure = ScrapeMeasure(url=wire.url, value="up", timeout=timedelta(seconds=0.3))
    assert "no whole answer within 0.3s" in wrong(ScrapeGauge().measure(measure, START))


def test_a_page_of_50_mb_is_an_error_and_not_kept(wire):
    line = b'big{a="' + b"x" * 1000 + b'"} 1\n'
    wire.floods(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nup 1\n", line, 50_000)
    tracemalloc.start()
    try:
        measure = ScrapeMeasure(url=wire.url, value="up", timeout=timedelta(seconds=600))
        assert "larger than 16 MiB" in wrong(ScrapeGauge().measure(measure, START))
        assert tracemalloc.get_traced_memory()[1] < 60 * 2**20
    finally:
        tracemalloc.stop()


def test_of_a_large_page_only_what_is_asked_is_parsed(wire):
    wire.says(http("".join(f'noise_{i % 50}{{i="{i}"}} 1\n' for i in range(150_000)) + "up 1\n"))
    observation = ScrapeGauge().measure(ScrapeMeasure(url=wire.url, value="up", timeout=timedelta(seconds=300)), START)
    assert seen(observation)[0][0] == 1


@pytest.mark.parametrize("count", [10_001, 50_000])
def test_too_many_series_of_one_metric(wire, count):
    wire.says(http("".join(f'm{{i="{i}"}} 1\n' for i in range(count))))
    measure = ScrapeMeasure(url=wire.url, value="m", timeout=timedelta(seconds=300))
    assert "more than 10000 series of m" in wrong(ScrapeGauge().measure(measure, START))


def test_a_bad_selector_is_an_error(wire):
    wire.says(http("up 1\n"))
    assert "expected a label name" in wrong(ScrapeGauge().measure(ScrapeMeasure(url=wire.url, value="up{"), START))


class Service:
    """A page whose numbers a test changes between scrapes five seconds apart."""

    def __init__(self, wire) -> None:
        self.wire, self.gauge, self.seconds = wire, ScrapeGauge(), 0

    def then(self, page: str, *measures: ScrapeMeasure):
        self.wire.says(http(page))
        found = [seen(self.gauge.measure(measure, at(self.seconds))) for measure in measures]
        self.seconds += 5
        return found if len(found) > 1 else found[0]


def test_a_rate_needs_two_scrapes_and_is_summed(wire):
    service, rate = Service(wire), ScrapeMeasure(url=wire.url, rate='r{code=~".+"}')
    assert service.then('r{code="200"} 10\nr{code="500"} 1\n', rate) == []
    assert service.then('r{code="200"} 30\nr{code="500"} 6\n', rate) == [(5.0, {})]
    assert service.then('r{code="200"} 5\n', rate) == [(3.0, {})]  # restarted: 25 + 5 in 10 s


def test_a_ratio_knows_errors_that_were_not_there_before(wire):
    ratio = ScrapeMeasure(url=wire.url, ratio=Ratio(events='r{code=~"5.."}', total="r"))
    service = Service(wire)
    assert service.then('r{code="200"} 10\n', ratio) == []
    assert service.then('r{code="200"} 20\n', ratio) == [(0.0, {})]
    assert service.then('r{code="200"} 40\nr{code="500"} 10\n', ratio) == [(0.25, {})]


def test_a_ratio_without_traffic_says_nothing(wire):
    ratio = ScrapeMeasure(url=wire.url, ratio=Ratio(events='r{code="500"}', total="r"))
    service = Service(wire)
    page = 'r{code="200"} 10\nr{code="500"} 3\n'
    assert service.then(page, ratio) == []
    assert service.then(page, ratio) == []


def test_a_quantile_of_the_window_not_of_all_time(wire):
    quantile = ScrapeMeasure(url=wire.url, quantile=Quantile(buckets="d_bucket", q=0.5), over=timedelta(seconds=5))
    service = Service(wire)

    def page(fast: int, slow: int) -> str:
        return "".join(
            f'd_bucket{{path="{path}",le="{le}"}} {count}\n'
            for path in "ab"
            for le, count in (("1", fast), ("2.0", fast + slow), ("+Inf", fast + slow))
        )

    assert service.then(page(1000, 0), quantile) == []
    assert service.then(page(1010, 0), quantile) == [(0.5, {})]
    assert service.then(page(1010, 10), quantile) == [(1.5, {})]
    assert service.then(page(1010, 10), quantile) == []


@pytest.mark.parametrize(
    ("page", "words"), [("d_bucket 1\n", "no label `le`"), ('d_bucket{le="1"} 1\n', 'no bucket le="+Inf"')]
)
def test_a_quantile_of_what_is_no_histogram(wire, page, words):
    gauge, measure = ScrapeGauge(), ScrapeMeasure(url=wire.url, quantile=Quantile(buckets="d_bucket", q=0.5))
    wire.says(http(page))
    observations = [gauge.measure(measure, at(seconds)) for seconds in (0, 5)]
    assert words in observations[-1].error


def test_one_tick_fetches_a_page_once_even_if_it_fails(wire):
    gauge = ScrapeGauge()
    measures = [ScrapeMeasure(url=wire.url, value=name) for name in ("a", "b", "c")]
    wire.says(http("a 1\nb 2\nc 3\n"))
    threads = [threading.Thread(target=gauge.measure, args=(measure, START)) for measure in measures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(within(20))
    assert len(wire.requests) == 1
    wire.says(b"")
    assert all(gauge.measure(measure, at(5)).error for measure in measures)
    assert len(wire.requests) == 2


def test_questions_worked_on_out_of_order_share_the_newer_page(wire):
    gauge, rate = ScrapeGauge(), ScrapeMeasure(url=wire.url, rate="r")
    wire.says(http("r 10\n"))
    gauge.measure(rate, at(0))
    wire.says(http("r 20\n"))
    assert seen(gauge.measure(rate, at(5))) == [(2.0, {})]
    assert seen(gauge.measure(rate, at(3))) == [(2.0, {})]
    assert len(wire.requests) == 2


def test_a_failed_scrape_in_between_does_not_lose_the_history(wire):
    gauge, rate = ScrapeGauge(), ScrapeMeasure(url=wire.url, rate="r")
    wire.says(http("r 10\n"))
    gauge.measure(rate, at(0))
    wire.says(b"")
    assert gauge.measure(rate, at(5)).error
    wire.says(http("r 30\n"))
    assert seen(gauge.measure(rate, at(10))) == [(2.0, {})]


def test_pages_nobody_asks_for_are_forgotten(wire):
    gauge = ScrapeGauge()
    wire.says(http("r 10\n"))
    gauge.measure(ScrapeMeasure(url=wire.url + "/a", value="r"), at(0))
    gauge.measure(ScrapeMeasure(url=wire.url + "/b", value="r"), at(7200))
    assert list(gauge._pages) == [wire.url + "/b"]


def test_check_says_what_is_missing(wire):
    wire.says(http('r{code="200"} 1\n'))
    ratio = ScrapeMeasure(url=wire.url, ratio=Ratio(events='r{code="500"}', total="r"))
    assert ScrapeGauge().check(ratio) == [f'note: {wire.url} has no series r{{code="500"}} now']
    assert ScrapeGauge().check(ScrapeMeasure(url=wire.url, value="r")) == []
    assert "is not a selector" in ScrapeGauge().check(ScrapeMeasure(url=wire.url, value="r{"))[0]
    wire.says(b"")
    assert "could not be scraped" in ScrapeGauge().check(ratio)[0]


def test_another_kind_is_a_mistake_of_ours():
    with pytest.raises(TypeError):
        ScrapeGauge().measure(HttpMeasure(url="http://x"), START)
