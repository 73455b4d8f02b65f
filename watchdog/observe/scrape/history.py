"""A page's memory where there is no Prometheus: each scrape's numbers of the wanted series are kept, and read again.

Where they are kept is the caller's affair (`keep` and `read`: app.py gives the store's). What was not scraped, or not
wanted yet, is missing: a history is only as long as its selectors have been asked for, never a part of their series.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from watchdog.errors import Refused, Unavailable
from watchdog.model.series import Scrape, Series
from watchdog.observe.fetch import NoAnswer, fetch, shown
from watchdog.observe.prometheus.matrix import MOST_NUMBERS
from watchdog.observe.scrape.exposition import ACCEPT, BadPage, read_page
from watchdog.observe.scrape.expression import Expression, parse_expression
from watchdog.observe.scrape.gauge import LIMIT
from watchdog.observe.selector import BadSelector, Selector

MOST_SERIES = 2_000
"""Kept of one page: some 6 kB a scrape."""

LOOKBACK = timedelta(minutes=5)
"""How old a value may be to be the value at a moment, as in Prometheus."""

Keep = Callable[[Scrape], None]
Read = Callable[[str, datetime, datetime], Iterable[Scrape]]
"""(page, after, up to and with) → its scrapes, oldest first."""


class ScrapeHistory:
    """A History of one target's page. Safe to use from several threads."""

    def __init__(
        self,
        target: str,
        url: str,
        keep: Keep,
        read: Read,
        *,
        timeout: timedelta = timedelta(seconds=5),
        limit: int = LIMIT,
        most: int = MOST_NUMBERS,
    ) -> None:
        self._url, self._timeout, self._limit, self._most = url, timeout, limit, most
        self._keep, self._read = keep, read
        self.page = f"{target} {shown(url)}"

    def scrape(self, wanted: Collection[str], now: datetime) -> None:
        """Fetch the page once, and keep what it says of these selectors and expressions at `now`.

        Raises Unavailable when there is no whole page, and keeps nothing; Refused for what can't be asked of a page,
        and for more than `MOST_SERIES` series.
        """
        selectors = {str(s): s for text in wanted if (s := self._expression(text).selector) is not None}
        try:
            answer = fetch(self._url, timeout=self._timeout, limit=self._limit, headers={"Accept": ACCEPT})
            found = read_page(answer, {selector.name for selector in selectors.values()})
        except NoAnswer as error:
            raise Unavailable(f"{shown(self._url)} could not be scraped: {error}") from error
        except BadPage as error:
            raise Unavailable(f"{shown(self._url)}: {error}") from error
        kept = {
            (("__name__", name), *sorted(sample.labels.items())): sample.value
            for name, sample in found
            if any(selector.matches(name, sample.labels) for selector in selectors.values())
        }
        if len(kept) > MOST_SERIES:
            raise Refused(
                f"{shown(self._url)} has {len(kept)} series of {', '.join(sorted(selectors))}; at most {MOST_SERIES} "
                "are kept of a page. Narrow the selectors"
            )
        series = sorted(kept)
        self._keep(
            Scrape(
                self.page,
                now,
                tuple(sorted(selectors)),
                tuple(map(dict, series)),
                array("d", (kept[labels] for labels in series)),
            )
        )

    def series(self, selectors: Mapping[str, str], start: datetime, end: datetime) -> Mapping[str, tuple[Series, ...]]:
        """The samples after `start` up to and with `end` of each selector, from the scrapes that looked for all of
        them. Raises Refused, and what `read` raises."""
        wanted = {}
        for key, text in selectors.items():
            expression = self._expression(text)
            if expression.selector is None or expression.window is not None:
                raise Refused(f"{self.page}: {text!r} is not a selector")
            wanted[key] = expression.selector
        return self._collect(wanted, self._scrapes(wanted.values(), start, end))

    def evaluate(self, query: str, start: datetime, end: datetime, step: timedelta) -> tuple[Series, ...]:
        """A selector, `rate(SELECTOR[1m])` or a number, at `start` and each `step` after it, up to and with `end`.

        Raises Refused for other expressions, and what `read` raises.
        """
        expression = self._expression(query)
        seconds, first = step.total_seconds(), start.timestamp()
        moments = [first + seconds * n for n in range(int((end - start) / step) + 1)]
        if expression.selector is None:
            return (Series.of({}, ((at, expression.number) for at in moments)),)
        scrapes = self._scrapes([expression.selector], start - (expression.window or LOOKBACK), end)
        found = self._collect({"": expression.selector}, scrapes)[""]
        if expression.window is not None:
            rates = (_rates(one, moments, expression.window.total_seconds()) for one in found)
            return tuple(one for one in rates if len(one))
        times = [scrape.at.timestamp() for scrape in scrapes]
        return tuple(one for one in (_values(one, times, moments) for one in found) if len(one))

    def _expression(self, text: str) -> Expression:
        try:
            return parse_expression(text)
        except BadSelector as error:
            raise Refused(f"{self.page}: {error}") from error

    def _scrapes(self, wanted: Iterable[Selector], start: datetime, end: datetime) -> list[Scrape]:
        asked = {str(selector) for selector in wanted}
        return [scrape for scrape in self._read(self.page, start, end) if asked <= set(scrape.selectors)]

    def _collect(self, wanted: Mapping[str, Selector], scrapes: Sequence[Scrape]) -> dict[str, tuple[Series, ...]]:
        """The series of each selector. Scrapes that were stored alike share their labels, and are sorted once."""
        found: dict[str, dict[frozenset[tuple[str, str]], Series]] = {key: {} for key in wanted}
        places: dict[int, list[tuple[int, Series]]] = {}
        held = 0
        for scrape in scrapes:
            if id(scrape.labels) not in places:
                places[id(scrape.labels)] = _places(wanted, found, scrape)
            at = scrape.at.timestamp()
            for number, series in places[id(scrape.labels)]:
                series.at.append(at)
                series.values.append(scrape.values[number])
            held += len(places[id(scrape.labels)])
            if held > self._most:
                raise Refused(f"{self.page}: more than {self._most:,} samples in this time; narrow the selectors")
        return {key: tuple(series.values()) for key, series in found.items()}


def _places(
    wanted: Mapping[str, Selector], found: dict[str, dict[frozenset[tuple[str, str]], Series]], scrape: Scrape
) -> list[tuple[int, Series]]:
    """Which number of such a scrape belongs to which series."""
    return [
        (number, found[key].setdefault(frozenset(labels.items()), Series(labels)))
        for key, selector in wanted.items()
        for number, labels in enumerate(scrape.labels)
        if selector.matches(labels["__name__"], labels)
    ]


def _values(series: Series, scrapes: Sequence[float], moments: Sequence[float]) -> Series:
    """The newest value at each moment; none where the newest scrape did not have the series, or is too old."""
    out = Series(series.labels)
    for moment in moments:
        newest, place = bisect_right(scrapes, moment) - 1, bisect_right(series.at, moment) - 1
        if place < 0 or series.at[place] != scrapes[newest] or moment - scrapes[newest] >= LOOKBACK.total_seconds():
            continue
        out.at.append(moment)
        out.values.append(series.values[place])
    return out


def _rates(series: Series, moments: Sequence[float], window: float) -> Series:
    """Growth a second between the first and the last sample of each window; a counter that fell began anew at 0."""
    grown = [0.0]
    for before, after in pairwise(series.values):
        grown.append(grown[-1] + (after - before if after >= before else after))
    out = Series(series.labels)
    for moment in moments:
        first, last = bisect_right(series.at, moment - window), bisect_right(series.at, moment) - 1
        if first < last:
            out.at.append(moment)
            out.values.append((grown[last] - grown[first]) / (series.at[last] - series.at[first]))
    return out
