"""A page's own memory: what was wanted and said is kept, and read as it was."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.observe.wire import closed_port
from watchdog.errors import Refused, StoreUnavailable, Unavailable
from watchdog.observe.scrape import history as scrape_history
from watchdog.observe.scrape.history import ScrapeHistory
from watchdog.store import open_store

START = datetime(2026, 1, 1, tzinfo=UTC)
T0 = START.timestamp()
TOTAL, EVENTS = "requests_total", 'requests_total{code=~"5.."}'
BOTH = {"events": EVENTS, "total": TOTAL}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Page:
    """A page, and the list in which its scrapes are kept."""

    def __init__(self, httpserver) -> None:
        self.kept: list = []
        self._server = httpserver
        self.history = self.remembering()

    def remembering(self, **options) -> ScrapeHistory:
        def read(page, start, end):
            return [scrape for scrape in self.kept if scrape.page == page and start < scrape.at <= end]

        return ScrapeHistory("shop", self._server.url_for("/metrics"), self.kept.append, read, **options)

    def says(self, text: str, seconds: float, *wanted: str) -> None:
        self._server.clear()
        self._server.expect_request("/metrics").respond_with_data(text, content_type="text/plain; version=0.0.4")
        self.history.scrape(wanted or (EVENTS, TOTAL), at(seconds))


@pytest.fixture
def page(httpserver) -> Page:
    return Page(httpserver)


def samples(series) -> list[tuple[float, float]]:
    return [(when - T0, value) for when, value in zip(series.at, series.values, strict=True)]


def test_numbers_of_one_scrape_have_the_same_time(page):
    page.says('requests_total{code="200"} 5\nother 1\n', 15)
    page.says('requests_total{code="500"} 1\nrequests_total{code="200"} 9\n', 30)
    page.says('requests_total{code="200"} 2\nrequests_total{code="500"} 0\n', 45)  # it started again
    found = page.history.series(BOTH, START, at(60))
    assert [(dict(s.labels), samples(s)) for s in found["events"]] == [
        ({"__name__": "requests_total", "code": "500"}, [(30, 1), (45, 0)])
    ]
    assert [(s.labels["code"], samples(s)) for s in found["total"]] == [
        ("200", [(15, 5), (30, 9), (45, 2)]),
        ("500", [(30, 1), (45, 0)]),
    ]


def test_only_what_is_wanted_is_kept(page):
    page.says('requests_total{code="200"} 5\nrequests_total{code="500"} 1\nother 1\n', 15, EVENTS)
    (scrape,) = page.kept
    assert scrape.labels == ({"__name__": "requests_total", "code": "500"},)
    assert scrape.selectors == (EVENTS,)


def test_the_order_on_the_page_does_not_matter(page):
    page.says('requests_total{code="200"} 5\nrequests_total{code="500"} 1\n', 15)
    page.says('requests_total{code="500"} 1\nrequests_total{code="200"} 5\n', 30)
    assert page.kept[0].labels == page.kept[1].labels
    assert page.kept[0].values == page.kept[1].values


def test_a_stretch_begins_after_its_start_and_ends_with_its_end(page):
    for seconds in (15, 30, 45):
        page.says(f"requests_total {seconds}\n", seconds)
    (series,) = page.history.series({"total": TOTAL}, at(15), at(45))["total"]
    assert samples(series) == [(30, 30), (45, 45)]


def test_what_was_not_wanted_then_is_no_part_of_a_history(page):
    page.says('requests_total{code="200"} 5\nrequests_total{code="500"} 1\n', 15, EVENTS)
    page.says('requests_total{code="200"} 6\nrequests_total{code="500"} 1\n', 30, EVENTS, TOTAL)
    (events,) = page.history.series({"events": EVENTS}, START, at(60))["events"]
    assert samples(events) == [(15, 1), (30, 1)]
    found = page.history.series(BOTH, START, at(60))
    # A total of which only the errors were kept would be a service that only fails.
    assert [samples(s) for s in (*found["events"], *found["total"])] == [[(30, 1)], [(30, 6)], [(30, 1)]]


def test_a_selector_is_the_same_however_it_is_written(page):
    page.says('a{b="c"} 1\n', 15, "a{ b = 'c', }")
    assert [samples(s) for s in page.history.series({"sel": 'a{b="c"}'}, START, at(60))["sel"]] == [[(15, 1)]]


def test_no_history_is_an_answer(page):
    assert page.history.series(BOTH, START, at(60)) == {"events": (), "total": ()}
    assert page.history.evaluate("memory_bytes", START, at(60), timedelta(seconds=15)) == ()


def test_values_at_each_step_are_those_of_the_newest_scrape(page):
    for seconds, text in ((10, "memory 10\n"), (25, "memory 25\n"), (40, "other 1\n"), (55, "memory 55\n")):
        page.says(text, seconds, "memory")
    (series,) = page.history.evaluate("memory", START, at(500), timedelta(seconds=15))
    found = samples(series)
    assert found[:4] == [(15, 10), (30, 25), (60, 55), (75, 55)]  # at 45 the page did not have it
    assert found[-1] == (345, 55)  # 5 min after the last scrape


def test_rates_are_of_what_was_seen_with_resets(page):
    for seconds, value in ((0.5, 0), (15, 30), (30, 60), (45, 15), (60, 45)):
        page.says(f"cpu_seconds_total {value}\n", seconds, "rate(cpu_seconds_total[30s])")
    (series,) = page.history.evaluate("rate(cpu_seconds_total[30s])", at(30), at(75), timedelta(seconds=15))
    assert [(when, round(value, 6)) for when, value in samples(series)] == [(30, 2.033898), (45, 1), (60, 2)]


def test_a_number_is_a_limit(page):
    (series,) = page.history.evaluate("512e6", START, at(30), timedelta(seconds=15))
    assert samples(series) == [(0, 512e6), (15, 512e6), (30, 512e6)]


@pytest.mark.parametrize("text", ["sum(a)", "a / b", "rate(a[x])", "{"])
def test_what_cannot_be_asked_of_a_page_is_refused(page, text):
    with pytest.raises(Refused, match="shop http://"):
        page.history.scrape([text], START)
    with pytest.raises(Refused, match="shop http://"):
        page.history.evaluate(text, START, at(60), timedelta(seconds=15))
    with pytest.raises(Refused, match="shop http://"):
        page.history.series({"sel": text}, START, at(60))


def test_raw_samples_are_of_a_selector(page):
    with pytest.raises(Refused, match="is not a selector"):
        page.history.series({"sel": "rate(a[1m])"}, START, at(60))


def test_more_series_than_are_kept_is_refused(page, monkeypatch):
    monkeypatch.setattr(scrape_history, "MOST_SERIES", 2)
    with pytest.raises(Refused, match=r"has 3 series of a; at most 2 are kept .* Narrow"):
        page.says('a{b="1"} 1\na{b="2"} 1\na{b="3"} 1\n', 15, "a")
    assert page.kept == []


def test_more_samples_than_may_be_held_is_refused(page):
    for seconds in range(1, 5):
        page.says("a 1\n", seconds, "a")
    with pytest.raises(Refused, match="more than 3 samples"):
        page.remembering(most=3).series({"sel": "a"}, START, at(60))


def test_no_whole_page_keeps_nothing(page, httpserver):
    httpserver.expect_request("/metrics").respond_with_data("down", status=503)
    with pytest.raises(Unavailable, match="answered HTTP 503"):
        page.history.scrape([TOTAL], START)
    nobody = ScrapeHistory("shop", f"http://127.0.0.1:{closed_port()}/m", page.kept.append, lambda *_: [])
    with pytest.raises(Unavailable, match="could not be scraped: connection refused"):
        nobody.scrape([TOTAL], START)
    assert page.kept == []


def test_a_page_is_named_without_its_credentials():
    history = ScrapeHistory("shop", "http://me:hunter2@127.0.0.1:1/m?token=s3cr3t", lambda _: None, lambda *_: [])
    assert history.page.startswith("shop http://")
    assert "hunter2" not in history.page
    assert "s3cr3t" not in history.page


def test_a_state_that_cannot_be_read_is_said(page):
    def read(*_):
        raise StoreUnavailable("the disk is full")

    history = ScrapeHistory("shop", "http://127.0.0.1:1/m", page.kept.append, read)
    with pytest.raises(Unavailable, match="the disk is full"):
        history.series(BOTH, START, at(60))


def test_a_store_keeps_it(httpserver, tmp_path):
    with closing(open_store(f"sqlite:///{tmp_path}/state.db")) as store:
        history = ScrapeHistory("shop", httpserver.url_for("/metrics"), store.keep_scrape, store.scrapes)
        for seconds, value in ((15, "5"), (30, "NaN"), (45, "2")):
            httpserver.clear()
            text = f'requests_total{{code="500",path="/a\\"b"}} {value}\n'
            httpserver.expect_request("/metrics").respond_with_data(text, content_type="text/plain; version=0.0.4")
            history.scrape([EVENTS, TOTAL], at(seconds))
        (series,) = history.series(BOTH, START, at(60))["events"]
        assert series.labels == {"__name__": "requests_total", "code": "500", "path": '/a"b'}
        assert [str(pair) for pair in samples(series)] == ["(15.0, 5.0)", "(30.0, nan)", "(45.0, 2.0)"]
