"""A /metrics page read directly, as a source of numbers where there is no Prometheus. Reads, changes nothing.

A page is fetched once per tick however many rules use it. Rates, ratios and quantiles are made from what successive
scrapes said; before the second one there are no samples. The URL must be one process: behind a load balancer each
scrape may meet another one, and its counters then seem to jump.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchdog.model.measurement import Observation, Sample
from watchdog.model.rule import Measure, ScrapeMeasure
from watchdog.observe.fetch import Answer, NoAnswer, fetch, shown
from watchdog.observe.scrape.exposition import ACCEPT, BadPage, read_page
from watchdog.observe.scrape.increase import Growth, Increases, histogram_quantile
from watchdog.observe.selector import BadSelector, Selector, parse_selector

LIMIT = 16 * 1024 * 1024
"""Bytes of a page; reading stops there."""

FRESH = timedelta(seconds=1)
"""How long after one rule's scrape another rule uses the same page."""

_BEHIND = timedelta(seconds=10)
"""Questions may be worked on out of order: one asked this long before the newest scrape still uses that one."""

_FORGET = timedelta(minutes=30)


class ScrapeGauge:
    """Measures `scrape` rules. Safe to use from several threads; two that want one page fetch it once."""

    def __init__(self, limit: int = LIMIT, fresh: timedelta = FRESH) -> None:
        self._limit, self._fresh = limit, fresh
        self._lock = threading.Lock()
        self._pages: dict[str, _Page] = {}

    def measure(self, measure: Measure, now: datetime) -> Observation:
        """Scrape, unless this tick did already, and read the samples."""
        if not isinstance(measure, ScrapeMeasure):
            raise TypeError(f"a scrape cannot measure {measure.kind!r}")
        began = time.monotonic()
        samples: tuple[Sample, ...] = ()
        error = None
        try:
            selectors = _selectors(measure)
            page = self._page(measure.url, now)
            with page.lock:
                page.refresh(measure, now, self._limit, self._fresh)
                samples = _samples(measure, selectors, page, now)
        except NoAnswer as failure:
            error = f"{shown(measure.url)} could not be scraped: {failure}"
        except (BadPage, BadSelector) as failure:
            error = f"{shown(measure.url)}: {failure}"
        took = timedelta(seconds=time.monotonic() - began)
        return Observation(query=_asked(measure), samples=samples, error=error, took=took)

    def check(self, measure: Measure) -> Sequence[str]:
        """What is wrong with asking this now. A line that begins with `note:` is worth knowing, but not wrong."""
        if not isinstance(measure, ScrapeMeasure):
            raise TypeError(f"a scrape cannot measure {measure.kind!r}")
        try:
            selectors = _selectors(measure)
            found = read_page(_scrape(measure, self._limit), {selector.name for selector in selectors})
        except NoAnswer as failure:
            return [f"{shown(measure.url)} could not be scraped: {failure}"]
        except (BadPage, BadSelector) as failure:
            return [f"{shown(measure.url)}: {failure}"]
        missing = [
            text
            for text, selector in zip(_texts(measure), selectors, strict=True)
            if not any(selector.matches(name, sample.labels) for name, sample in found)
        ]
        return [f"note: {shown(measure.url)} has no series {text} now" for text in missing]

    def _page(self, url: str, now: datetime) -> _Page:
        with self._lock:
            for old in [key for key, page in self._pages.items() if now - page.used_at > _FORGET + 2 * page.longest]:
                del self._pages[old]
            page = self._pages.setdefault(url, _Page(now))
            page.used_at = now
            return page


class _Page:
    """The newest scrape of one URL, and how its counters grew. Everything but `lock` is used with the lock held."""

    def __init__(self, now: datetime) -> None:
        self.lock = threading.Lock()  # held for at most one request's time limit, and the reading of one page
        self.used_at = now
        self.longest = timedelta(0)
        self._at: datetime | None = None
        self._answer: Answer | NoAnswer | None = None
        self._growth: dict[tuple[Selector, bool], tuple[datetime, Increases]] = {}

    def refresh(self, measure: ScrapeMeasure, now: datetime, limit: int, fresh: timedelta) -> None:
        self.longest = max(self.longest, measure.over)
        if self._at is not None and -_BEHIND < now - self._at < fresh:
            return
        self._at = now
        try:
            self._answer = _scrape(measure, limit)
        except NoAnswer as failure:  # kept too: six rules of a dead page wait for it once
            self._answer = failure

    def samples(self, selector: Selector) -> tuple[list[Sample], bool]:
        """The matching samples, and whether the page has the metric at all. Raises NoAnswer or BadPage."""
        if isinstance(self._answer, NoAnswer):
            raise NoAnswer(str(self._answer), ours=self._answer.ours)
        assert self._answer is not None
        found = read_page(self._answer, {selector.name})
        return [sample for name, sample in found if selector.matches(name, sample.labels)], bool(found)

    def growth(self, selector: Selector, now: datetime, window: timedelta, *, by_bucket: bool = False) -> Growth | None:
        samples, family = self.samples(selector)
        assert self._at is not None
        key = (selector, by_bucket)
        seen_at, increases = self._growth.get(key, (None, Increases()))
        if seen_at != self._at:
            values: dict[tuple[str, object], float] = {}
            for sample in samples:
                group = _bound(selector, sample) if by_bucket else ""
                values[group, tuple(sorted(sample.labels.items()))] = sample.value
            increases.advance(self._at, values, family=family)
            self._growth[key] = (self._at, increases)
        return increases.over(now, window)


def _samples(measure: ScrapeMeasure, selectors: Sequence[Selector], page: _Page, now: datetime) -> tuple[Sample, ...]:
    first = selectors[0]
    if measure.value is not None:
        found, _ = page.samples(first)
        return tuple(Sample(value=s.value, labels={"__name__": first.name, **s.labels}) for s in found)
    if measure.quantile is not None:
        growth = page.growth(first, now, measure.over, by_bucket=True)
        return _quantile(measure.quantile.q, growth, first)
    growth = page.growth(first, now, measure.over)
    if measure.rate is not None:
        return (Sample(value=growth.total / growth.seconds),) if growth else ()
    of = page.growth(selectors[1], now, measure.over)
    if of is None or of.total <= 0:  # no traffic says nothing about errors
        return ()
    # No series of errors yet, on a page that has traffic: no errors.
    return (Sample(value=growth.total / of.total if growth else 0.0),)


def _quantile(q: float, growth: Growth | None, selector: Selector) -> tuple[Sample, ...]:
    if growth is None:
        return ()
    buckets = {float(bound): count for bound, count in growth.by_group.items()}
    if buckets and not any(math.isinf(bound) for bound in buckets):
        raise BadSelector(f'{selector.name} has no bucket le="+Inf": does the selector leave it out?')
    value = histogram_quantile(q, buckets)
    return () if value is None else (Sample(value=value),)


def _bound(selector: Selector, sample: Sample) -> str:
    try:
        return str(float(sample.labels["le"]))
    except (KeyError, ValueError) as error:
        raise BadSelector(f"{selector.name} has no label `le`: a quantile needs the `…_bucket` series") from error


def _scrape(measure: ScrapeMeasure, limit: int) -> Answer:
    return fetch(measure.url, timeout=measure.timeout, limit=limit, headers={"Accept": ACCEPT})


def _texts(measure: ScrapeMeasure) -> tuple[str, ...]:
    if measure.ratio is not None:
        return measure.ratio.events, measure.ratio.total
    text = measure.quantile.buckets if measure.quantile is not None else (measure.rate or measure.value)
    assert text is not None
    return (text,)


def _selectors(measure: ScrapeMeasure) -> tuple[Selector, ...]:
    return tuple(parse_selector(text) for text in _texts(measure))


def _asked(measure: ScrapeMeasure) -> str:
    """The question in one line, for the record."""
    over = f" over {measure.over.total_seconds():g}s"
    texts = _texts(measure)
    if measure.ratio is not None:
        asked = f"increase({texts[0]}) / increase({texts[1]}){over}"
    elif measure.quantile is not None:
        asked = f"quantile({measure.quantile.q:g}, {texts[0]}){over}"
    else:
        asked = f"rate({texts[0]}){over}" if measure.rate is not None else texts[0]
    return f"{asked} at {shown(measure.url)}"
