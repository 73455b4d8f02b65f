"""The histories of scraped pages in memory; drops the same as the database does, by the same packed sizes."""

from __future__ import annotations

import threading
from datetime import datetime

from watchdog.model.series import Scrape
from watchdog.store.scrapes import Packed, kept_since, pack, unpack_common, unpack_values


class MemoryScrapes:
    """The part of MemoryStore that keeps scrapes."""

    def __init__(self) -> None:
        self._scraped = threading.Lock()
        self._pages: dict[str, dict[datetime, Packed]] = {}

    def keep_scrape(self, scrape: Scrape) -> None:
        """Add to a page's history; a scrape of the same page and time is left as it is."""
        with self._scraped:
            self._pages.setdefault(scrape.page, {}).setdefault(scrape.at, pack(scrape))

    def scrapes(self, page: str, start: datetime, end: datetime) -> list[Scrape]:
        """A page's history after `start` up to and with `end`, oldest first."""
        with self._scraped:
            kept = sorted(self._pages.get(page, {}).items())
        return [
            Scrape(page, at, *unpack_common(packed.common), unpack_values(packed.values))
            for at, packed in kept
            if start < at <= end
        ]

    def prune_scrapes(self, before: datetime, most: int) -> int:
        """Drop what `Store.prune_scrapes` says."""
        dropped = 0
        with self._scraped:
            for page, kept in self._pages.items():
                since = kept_since(_sizes(kept), before, most)
                self._pages[page] = {at: packed for at, packed in kept.items() if at >= since}
                dropped += len(kept) - len(self._pages[page])
        return dropped


def _sizes(kept: dict[datetime, Packed]) -> list[tuple[datetime, int]]:
    used = {packed.layout: (at, len(packed.common)) for at, packed in sorted(kept.items())}
    return [*used.values(), *((at, len(packed.values)) for at, packed in kept.items())]
