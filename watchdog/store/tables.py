"""The tables: key columns to find things by, and the value itself as a JSON document.

One description for SQLite and PostgreSQL. Times in key columns are whole microseconds since 1970 (UTC), so that they
compare exactly in both. Whoever changes a table or makes an old document invalid raises SCHEMA_VERSION.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

SCHEMA_VERSION = 2
"""2: scrapes. A state of an older version gets the tables it lacks when it is opened."""

metadata = MetaData()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = BigInteger()
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself only as INTEGER PRIMARY KEY


def micros(at: datetime) -> int:
    """An aware datetime as whole microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_micros(at: int) -> datetime:
    """The UTC datetime that `micros` was given."""
    return _EPOCH + timedelta(microseconds=at)


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _time(name: str) -> Column[int]:
    return Column(name, _TIME, nullable=False)


def _sequence() -> Column[int]:
    """The order in which rows were written."""
    return Column("seq", _NUMBER, primary_key=True, autoincrement=True)


schema = Table(
    "watchdog_schema",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)

watches = Table(
    "watchdog_watches",
    metadata,
    _key("id"),
    _text("target"),
    _time("opened_at"),
    Column("ended_at", _TIME),
    Column("is_open", Boolean, nullable=False),
    Column("incident", Text),
    Column("version", Integer, nullable=False),
    _text("body"),
)
# Holds all that the question asked every second needs, the open watches side by side. A partial index would be smaller,
# and would load the other database's dialect into every process (2 MB).
Index("watchdog_watches_open", watches.c.is_open, watches.c.opened_at, watches.c.id, watches.c.version)
Index("watchdog_watches_newest", watches.c.opened_at, watches.c.id)
Index("watchdog_watches_of_target", watches.c.target, watches.c.opened_at, watches.c.id)

revisions = Table(
    "watchdog_revisions", metadata, _key("target"), _key("id"), _text("fingerprint"), _time("seen_at"), _text("body")
)
Index("watchdog_revisions_newest", revisions.c.target, revisions.c.seen_at)
Index("watchdog_revisions_fingerprint", revisions.c.target, revisions.c.fingerprint, revisions.c.seen_at)

bookmarks = Table("watchdog_bookmarks", metadata, _key("target"), _text("body"))
pauses = Table("watchdog_pauses", metadata, _key("target"), _text("body"))
claims = Table("watchdog_claims", metadata, _key("target"), _text("owner"), _time("until"))

measurements = Table(
    "watchdog_measurements",
    metadata,
    _sequence(),
    _text("watch"),
    _text("rule"),
    _text("body"),
    sqlite_autoincrement=True,
)
Index("watchdog_measurements_of_watch", measurements.c.watch, measurements.c.seq)
Index("watchdog_measurements_of_rule", measurements.c.watch, measurements.c.rule, measurements.c.seq)

events = Table(
    "watchdog_events",
    metadata,
    _sequence(),
    Column("watch", Text),
    Column("incident", Text),
    _text("target"),
    _time("at"),
    _text("body"),
    sqlite_autoincrement=True,
)
Index("watchdog_events_of_watch", events.c.watch, events.c.seq)
Index("watchdog_events_of_target", events.c.target, events.c.seq)

evidence = Table("watchdog_evidence", metadata, _sequence(), _text("watch"), _text("body"), sqlite_autoincrement=True)
Index("watchdog_evidence_of_watch", evidence.c.watch, evidence.c.seq)

incidents = Table(
    "watchdog_incidents", metadata, _key("id"), _text("watch"), _text("target"), _time("opened_at"), _text("body")
)
Index("watchdog_incidents_newest", incidents.c.opened_at, incidents.c.id)
Index("watchdog_incidents_of_target", incidents.c.target, incidents.c.opened_at, incidents.c.id)
Index("watchdog_incidents_of_watch", incidents.c.watch)

rollbacks = Table("watchdog_rollbacks", metadata, _key("id"), _text("target"), _time("started_at"), _text("body"))
Index("watchdog_rollbacks_newest", rollbacks.c.target, rollbacks.c.started_at)

WAITING, SENT, GIVEN_UP = "waiting", "sent", "given up"
notices = Table(
    "watchdog_notices",
    metadata,
    _sequence(),
    Column("id", Text, nullable=False, unique=True),
    _text("receiver"),
    _text("state"),
    _time("created_at"),
    _time("next_at"),
    Column("sent_at", _TIME),
    Column("attempts", Integer, nullable=False),
    _text("last_error"),
    _text("event"),
    sqlite_autoincrement=True,
)
Index("watchdog_notices_due", notices.c.state, notices.c.next_at, notices.c.seq)

# The history of pages that are scraped without Prometheus: one row for each scrape, and one for what scrapes of a page
# have in common.
scrapes = Table(
    "watchdog_scrapes",
    metadata,
    _key("page"),
    Column("at", _TIME, primary_key=True, autoincrement=False),
    _text("layout"),
    Column("body", LargeBinary, nullable=False),
)
scrape_layouts = Table(
    "watchdog_scrape_layouts",
    metadata,
    _key("page"),
    _key("id"),
    _time("used_at"),
    Column("body", LargeBinary, nullable=False),
)
