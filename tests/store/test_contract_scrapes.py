"""What every store promises of the histories of scraped pages, asked of each of them."""

from __future__ import annotations

import math
from array import array
from contextlib import closing

import pytest

from tests.store.examples import at, scrape
from watchdog.errors import StoreDamaged
from watchdog.model.series import Scrape
from watchdog.store import sql_scrapes
from watchdog.store.base import Store
from watchdog.store.sql import SqlStore
from watchdog.store.tables import scrapes

PLENTY = 10**9


def seconds(store: Store, page: str = "shop page", start: float = -1) -> list[float]:
    return [(found.at - at(0)).total_seconds() for found in store.scrapes(page, at(start), at(10**6))]


def test_a_page_that_was_never_scraped(store: Store) -> None:
    assert store.scrapes("shop page", at(0), at(9)) == []
    assert store.prune_scrapes(at(9), PLENTY) == 0


def test_what_was_scraped_reads_back_as_it_was(store: Store) -> None:
    numbers = array("d", [math.inf, -math.inf, -0.0, 5e-324, 2.0**53 + 2, 0.1])
    labels = tuple({"__name__": "a_total", "n": str(n), "päth": '/☃"\\\n'} for n in range(len(numbers)))
    full = Scrape("shop http://127.0.0.1/metrics", at(1), ("a_total", 'b{c="d"}'), labels, numbers)
    nothing = Scrape(full.page, at(2), full.selectors, (), array("d"))
    for one in (nothing, full):
        store.keep_scrape(one)
    assert store.scrapes(full.page, at(0), at(9)) == [full, nothing]
    assert str(store.scrapes(full.page, at(0), at(1))[0].values[2]) == "-0.0"


def test_nan_stays_nan(store: Store) -> None:
    store.keep_scrape(scrape(1, math.nan, 2.0))
    (found,) = store.scrapes("shop page", at(0), at(1))
    assert [str(value) for value in found.values] == ["nan", "2.0"]


def test_a_stretch_begins_after_its_start_and_ends_with_its_end(store: Store) -> None:
    for second in (3, 1, 2, 4):
        store.keep_scrape(scrape(second, float(second)))
    store.keep_scrape(scrape(2, 9.0, page="blog page"))
    assert store.scrapes("shop page", at(1), at(3)) == [scrape(2, 2.0), scrape(3, 3.0)]


def test_series_and_selectors_may_change(store: Store) -> None:
    kept = [scrape(1, 1.0), scrape(2, 1.0, 2.0), scrape(3, 2.0), scrape(4, 2.0, selectors=("a", "b"))]
    for one in kept:
        store.keep_scrape(one)
    assert store.scrapes("shop page", at(0), at(9)) == kept


def test_the_same_scrape_twice_is_one(store: Store) -> None:
    store.keep_scrape(scrape(1, 1.0))
    store.keep_scrape(scrape(1, 7.0, 8.0))
    assert store.scrapes("shop page", at(0), at(9)) == [scrape(1, 1.0)]


def test_old_scrapes_are_dropped_of_every_page(store: Store) -> None:
    for second in range(6):
        store.keep_scrape(scrape(second, 1.0))
    store.keep_scrape(scrape(1, 1.0, page="gone page"))
    assert store.prune_scrapes(at(4), PLENTY) == 5
    assert (seconds(store), seconds(store, "gone page")) == ([4, 5], [])
    store.keep_scrape(scrape(1, 1.0, page="gone page"))  # and its labels are known again
    assert seconds(store, "gone page") == [1]


def test_of_too_much_the_oldest_are_dropped_of_that_page_alone(store: Store) -> None:
    for second in range(100):
        store.keep_scrape(scrape(second, *(math.sin(second + n) for n in range(50))))
    store.keep_scrape(scrape(0, 1.0, page="small page"))
    dropped = store.prune_scrapes(at(0), 10_000)
    assert 60 < dropped < 90  # 50 irregular numbers are some 400 bytes
    assert seconds(store) == list(range(dropped, 100))
    assert seconds(store, "small page") == [0]


def test_what_scrapes_have_in_common_counts_too(store: Store) -> None:
    for second in range(100):  # a label that changes with each scrape
        store.keep_scrape(scrape(second, 1.0, selectors=(f"a{second}",)))
    dropped = store.prune_scrapes(at(0), 5_000)
    assert 30 < dropped < 80
    assert seconds(store) == list(range(dropped, 100))


@pytest.mark.slow
def test_many_are_dropped_in_several_turns(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_scrapes, "BATCH", 100)
    for second in range(250):
        store.keep_scrape(scrape(second, 1.0))
    assert store.prune_scrapes(at(249), PLENTY) == 249
    assert seconds(store) == [249]


def test_a_scrape_that_does_not_read_is_said_and_never_half_of_one(database_url: str) -> None:
    with closing(SqlStore(database_url)) as store:
        store.keep_scrape(scrape(1, 1.0))
        with store._engine.execution_options(watchdog_step="write").begin() as connection:
            connection.execute(scrapes.update().values(body=b"\x00"))
        with pytest.raises(StoreDamaged, match=r"reading the scrapes of shop page: .*does not read"):
            store.scrapes("shop page", at(0), at(9))
