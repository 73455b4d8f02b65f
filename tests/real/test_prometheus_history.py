"""The real Prometheus' memory: what was scraped is what is read, over a day, after a reset, of native histograms."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.components import require
from tests.observe.wire import closed_port
from tests.real import native_histogram
from tests.real.backfill import PROMTOOL, backfill
from tests.real.prometheus_server import PROGRAM, TEXT, PrometheusServer
from watchdog.engine import comparing
from watchdog.errors import Refused, Unavailable
from watchdog.judge.compare.rule import Setting
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series
from watchdog.observe.prometheus.api import PrometheusApi
from watchdog.observe.prometheus.history import PrometheusHistory

pytestmark = pytest.mark.prometheus

DAY, INTERVAL = 86_400, 15
END = int(time.time()) - 600  # of what is filled in; before what the server scrapes itself
BEGIN = END - DAY


def counter(**labels: str) -> Series:
    """A day of a counter that starts again at noon, with an hour that nobody scraped."""
    times = [BEGIN + 0.123 + INTERVAL * n for n in range(1, DAY // INTERVAL)]
    values = [(n if at < BEGIN + DAY / 2 else n - 2880, at) for n, at in enumerate(times)]
    gap = (BEGIN + 20_000, BEGIN + 23_600)
    return Series.of(labels, ((at, float(n)) for n, at in values if not gap[0] < at < gap[1]))


REQUESTS = [
    counter(__name__="requests_total", instance=f"{pod}:80", code=code) for pod in "ab" for code in ("200", "500")
]
VERSIONS = [
    Series.of({"__name__": "build_info", "version": "v1"}, ((BEGIN + INTERVAL * n, 1.0) for n in range(1000))),
    Series.of({"__name__": "build_info", "version": "v2"}, ((BEGIN + INTERVAL * n, 1.0) for n in range(1004, 5000))),
]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    require("prometheus", PROGRAM is not None)
    require("promtool", PROMTOOL is not None)
    server = PrometheusServer(tmp_path_factory.mktemp("history"), "--enable-feature=native-histograms")
    try:
        backfill(server.data, [*REQUESTS, *VERSIONS])
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def history(prometheus: PrometheusServer) -> PrometheusHistory:
    return PrometheusHistory(PrometheusApi(prometheus.url, timedelta(seconds=20)))


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_a_day_of_raw_samples_is_what_was_stored(history):
    selectors = {"events": 'requests_total{code=~"5.."}', "total": "requests_total"}
    found = history.series(selectors, moment(BEGIN), moment(END))
    stored = {tuple(sorted(series.labels.items())): series for series in REQUESTS}
    assert {tuple(sorted(series.labels.items())): series for series in found["total"]} == stored
    assert [series.labels["instance"] for series in found["events"]] == ["a:80", "b:80"]
    for events in found["events"]:
        total = next(s for s in found["total"] if s.labels == {**events.labels, "code": "200"})
        assert events.at == total.at
    assert any(after < before for before, after in zip(events.values, events.values[1:], strict=False))


def test_a_part_of_it_begins_after_its_start(history):
    series = REQUESTS[0]
    start, end = moment(series.at[10]), moment(series.at[20])
    (found,) = history.series({"sel": 'requests_total{instance="a:80",code="200"}'}, start, end)["sel"]
    assert found == Series(series.labels, series.at[11:21], series.values[11:21])


def test_expressions_at_each_step(history):
    found = history.evaluate("sum(rate(requests_total[5m]))", moment(BEGIN), moment(END), timedelta(seconds=15))
    (series,) = found
    assert [at - BEGIN for at in series.at[:2]] == [45, 60]  # a rate needs two samples
    assert max(series.values[20:1200]) == pytest.approx(4 / INTERVAL)
    assert len(series) > 5400


@pytest.mark.parametrize(
    "measure",
    [
        CompareMeasure(signal="ratio", events='requests_total{code=~"5.."}', total="requests_total"),
        CompareMeasure(signal="level", query="sum(rate(requests_total[1m]))"),
        CompareMeasure(signal="growth", query="sum by (instance) (requests_total)"),
    ],
    ids=lambda measure: measure.signal.value,
)
def test_looks_that_ask_for_what_is_new_find_what_all_samples_say(history, measure):
    at = BEGIN + DAY / 2 - 300.4567  # the counters begin again five minutes later
    asked = comparing.Question(
        rule="r", measure=measure, deployed=at, began=at, now=at,
        setting=Setting(interval=INTERVAL, watch_seconds=900.0), calibration=None, nothing_known=False, cut=(),
        earlier=(), proving=False,
    )  # fmt: skip
    asked = replace(asked, calibration=comparing.calibrated(history, asked))
    answer = comparing.answer(history, replace(asked, now=at + 20.0))
    for age in (25.0, 71.3, 140.9, 290.0, 301.7, 330.25, 600.0, 615.0, 900.0):
        answer = comparing.answer(history, replace(asked, now=at + age, held=answer.held))
        assert answer.held is not None
        whole = comparing.answer(history, replace(asked, now=at + age))
        assert answer.observation.finding == whole.observation.finding
    assert answer.held.carried.until > at + 600


def test_deploys_by_a_version_label(history):
    found = history.deploys_by_label("build_info", "version", moment(BEGIN), moment(END))
    assert [(deploy.at.timestamp(), deploy.revision) for deploy in found] == [(BEGIN + INTERVAL * 1004, "v2")]


def test_what_is_scraped_now_is_read_as_it_was_with_its_reset(prometheus, history):
    prometheus.page.kind = TEXT
    seen: list[float] = []
    for value in (5, 8, 2):
        prometheus.page.text = f"jobs_done_total {value}\nrequests_total 1\n"
        prometheus.until(lambda value=value: newest(history, "jobs_done_total") == value)
        seen.append(value)
    (series,) = history.series({"sel": "jobs_done_total"}, *lately())["sel"]
    changes = [value for n, value in enumerate(series.values) if n == 0 or value != series.values[n - 1]]
    assert changes == seen
    assert series.labels["job"] == "service"


def lately() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(minutes=5), now + timedelta(seconds=1)


def newest(history: PrometheusHistory, selector: str, labels=()) -> float | None:
    found = [s for s in history.series({"sel": selector}, *lately())["sel"] if dict(labels).items() <= s.labels.items()]
    return found[0].values[-1] if found else None


def test_a_native_histogram_answers_for_the_classic_one(prometheus, history):
    def shows(zero: int, *counts: int) -> None:
        prometheus.page.text = native_histogram.page("latency_seconds", schema=0, zero=zero, first=0, counts=counts)
        prometheus.page.kind = native_histogram.KIND
        total = zero + sum(counts)
        prometheus.until(lambda: newest(history, "latency_seconds_bucket", {"le": "+Inf"}) == total)

    shows(1, 2, 0, 3)
    shows(1, 4, 1, 3)
    found = history.series({"sel": "latency_seconds_bucket", "count": "latency_seconds_count"}, *lately())
    ends = {series.labels["le"]: (series.values[0], series.values[-1]) for series in found["sel"]}
    # (0.5, 1], (1, 2], (2, 4]: 2, 0, 3 and then 4, 1, 3; one within the zero bucket. Which empty buckets the answer
    # lists is Prometheus' affair.
    assert {le: ends[le] for le in ("0.5", "1", "2", "4", "+Inf")} == {
        "0.5": (1, 1),
        "1": (3, 5),
        "2": (3, 6),
        "4": (6, 9),
        "+Inf": (6, 9),
    }
    assert [(series.values[0], series.values[-1]) for series in found["count"]] == [(6, 9)]
    assert {tuple(series.at) for series in (*found["sel"], *found["count"])} == {tuple(found["count"][0].at)}


def test_bad_questions_are_refused_in_its_own_words(history):
    with pytest.raises(Refused, match=r"refuses the query: .*parse error"):
        history.series({"sel": "rate(requests_total[5m])"}, moment(BEGIN), moment(END))
    with pytest.raises(Refused, match=r"refuses the query: .*parse error"):
        history.evaluate("sum(", moment(BEGIN), moment(END), timedelta(seconds=15))


def test_no_series_is_an_answer(history):
    assert history.series({"sel": "no_such_series"}, moment(BEGIN), moment(END)) == {"sel": ()}


def test_too_slow_down_or_gone_is_unavailable(prometheus, history):
    impatient = PrometheusHistory(PrometheusApi(prometheus.url, timedelta(milliseconds=1)))
    with pytest.raises(Unavailable, match="no whole answer within"):
        impatient.series({"sel": "requests_total"}, moment(BEGIN), moment(END))
    prometheus.kill()
    with pytest.raises(Unavailable, match="connection refused"):
        history.series({"sel": "requests_total"}, moment(BEGIN), moment(END))
    prometheus.start()
    assert len(history.series({"sel": "requests_total"}, moment(BEGIN), moment(END))["sel"]) == 4
    nobody = PrometheusHistory(PrometheusApi(f"http://127.0.0.1:{closed_port()}"))
    with pytest.raises(Unavailable, match="connection refused"):
        nobody.deploys_by_label("build_info", "version", moment(BEGIN), moment(END))
