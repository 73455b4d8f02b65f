"""Which source remembers what a `compare` rule asks: Prometheus, or a /metrics page whose history is kept here.

A page is scraped at each interval while its target is guarded, also when no watch is open: a history that begins with
the deploy is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchdog.engine.asking import context
from watchdog.errors import BadTemplate
from watchdog.model.rule import CompareMeasure
from watchdog.observe.base import History, ScrapedHistory
from watchdog.roster import Roster
from watchdog.template import render_all


@dataclass(frozen=True)
class Page:
    """A page that is scraped for the compare rules of a target."""

    target: str
    url: str
    wanted: tuple[str, ...]
    interval: timedelta


class Histories:
    """Callable with a target's name and a measure: its source, or None. Safe to use from several threads."""

    def __init__(
        self, roster: Roster, prometheus: History | None, scraped: Callable[[str, str], ScrapedHistory]
    ) -> None:
        self.prometheus = prometheus
        self._roster = roster
        self._scraped = scraped

    def __call__(self, target: str, measure: CompareMeasure) -> History | None:
        """What this measure is asked of; its templates are filled in."""
        return self._scraped(target, measure.scrape) if measure.scrape else self.prometheus

    def pages(self) -> list[Page]:
        """The pages to scrape, each with all selectors of its target's rules."""
        found: dict[tuple[str, str], set[str]] = {}
        for target in self._roster.values():
            for rule in target.rules:
                if not isinstance(rule.measure, CompareMeasure) or rule.measure.scrape is None:
                    continue
                try:
                    measure = render_all(rule.measure, context(target, "", None))
                except BadTemplate:
                    continue  # its own look says so
                wanted = [*measure.selectors.values(), measure.query, measure.limit, measure.per]
                found.setdefault((target.name, measure.scrape or ""), set()).update(w for w in wanted if w)
        return [
            Page(name, url, tuple(sorted(wanted)), self._roster[name].watch.interval)
            for (name, url), wanted in found.items()
        ]

    def scrape(self, page: Page, now: datetime) -> None:
        """Scrape it once. Raises Unavailable, Refused."""
        self._scraped(page.target, page.url).scrape(page.wanted, now)
