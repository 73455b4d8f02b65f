"""The histories of scraped pages in the database: one small row for each scrape."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy import Connection, case, delete, func, select, tuple_, union_all

from watchdog.model.series import Scrape
from watchdog.store.connect import READ, WRITE
from watchdog.store.failures import Place
from watchdog.store.scrapes import kept_since, pack, unpack_common, unpack_values
from watchdog.store.tables import from_micros, micros, scrape_layouts, scrapes
from watchdog.store.writes import BATCH, Upsert, took_effect


class SqlScrapes(ABC):
    """The part of SqlStore that keeps scrapes."""

    _insert: Upsert
    _place: Place

    @abstractmethod
    def _transaction(self, doing: str, step: str) -> AbstractContextManager[Connection]:
        """One transaction, its failures in words."""

    def keep_scrape(self, scrape: Scrape) -> None:
        """Add to a page's history; a scrape of the same page and time is left as it is."""
        packed, at = pack(scrape), micros(scrape.at)
        row = self._insert(scrapes).values(page=scrape.page, at=at, layout=packed.layout, body=packed.values)
        layout = self._insert(scrape_layouts).values(page=scrape.page, id=packed.layout, used_at=at, body=packed.common)
        used_at, now = scrape_layouts.c.used_at, layout.excluded.used_at
        with self._transaction(f"keeping a scrape of {scrape.page}", WRITE) as connection:
            if took_effect(connection, row.on_conflict_do_nothing(index_elements=list(scrapes.primary_key))):
                # Written each time: so it is not dropped, as one that is no more used, at this very moment.
                key = list(scrape_layouts.primary_key)
                newest = {"used_at": case((now > used_at, now), else_=used_at)}
                connection.execute(layout.on_conflict_do_update(index_elements=key, set_=newest))

    def scrapes(self, page: str, start: datetime, end: datetime) -> list[Scrape]:
        """A page's history after `start` up to and with `end`, oldest first."""
        doing = f"reading the scrapes of {page}"
        meant = (scrapes.c.page == page) & (scrapes.c.at > micros(start)) & (scrapes.c.at <= micros(end))
        rows = select(scrapes.c.at, scrapes.c.layout, scrapes.c.body).where(meant).order_by(scrapes.c.at)
        layouts = select(scrape_layouts.c.id, scrape_layouts.c.body).where(
            scrape_layouts.c.page == page, scrape_layouts.c.id.in_(select(scrapes.c.layout).where(meant))
        )
        with self._transaction(doing, READ) as connection:
            found = connection.execute(rows).all()
            common = connection.execute(layouts).all()
        try:
            known = {name: unpack_common(body) for name, body in common}
            return [Scrape(page, from_micros(at), *known[name], unpack_values(body)) for at, name, body in found]
        except (zlib.error, ValueError, KeyError) as error:
            raise self._place.damaged(doing, f"a stored scrape does not read ({type(error).__name__})") from error

    def prune_scrapes(self, before: datetime, most: int) -> int:
        """Drop what `Store.prune_scrapes` says, in short transactions."""
        with self._transaction("reading which pages have a history", READ) as connection:
            pages = connection.execute(select(scrape_layouts.c.page).distinct()).scalars().all()
        return sum(self._prune_page(page, before, most) for page in pages)

    def _prune_page(self, page: str, before: datetime, most: int) -> int:
        doing = f"dropping old scrapes of {page}"
        sizes = union_all(
            *(
                select(at, func.length(table.c.body)).where(table.c.page == page)
                for table, at in ((scrapes, scrapes.c.at), (scrape_layouts, scrape_layouts.c.used_at))
            )
        )
        with self._transaction(doing, READ) as connection:
            rows = connection.execute(sizes).all()
        since = micros(kept_since(((from_micros(at), size) for at, size in rows), before, most))
        old = select(scrapes.c.page, scrapes.c.at).where(scrapes.c.page == page, scrapes.c.at < since).limit(BATCH)
        batch = delete(scrapes).where(tuple_(scrapes.c.page, scrapes.c.at).in_(old))
        dropped, count = 0, BATCH
        while count == BATCH:
            with self._transaction(doing, WRITE) as connection:
                count = connection.execute(batch).rowcount
            dropped += count
        unused = delete(scrape_layouts).where(scrape_layouts.c.page == page, scrape_layouts.c.used_at < since)
        with self._transaction(doing, WRITE) as connection:
            connection.execute(unused)
        return dropped
