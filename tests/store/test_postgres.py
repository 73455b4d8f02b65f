"""What is PostgreSQL's own: connections that break, locks, passwords, and state that is not ours."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from tests.store.examples import T0, at, revision, scrape, watch
from watchdog.errors import StoreDamaged, StoreUnavailable
from watchdog.store import open_store
from watchdog.store.base import Step
from watchdog.store.sql import SqlStore

pytestmark = pytest.mark.slow


def test_a_second_replica_finds_what_the_first_wrote(postgres_url: str) -> None:
    first, second = open_store(postgres_url), open_store(postgres_url.replace("postgresql:", "postgres:"))
    first.save(Step(watches=(watch(),)))
    assert second.open_watches() == [watch()]
    assert first.claim("shop", "a", T0, timedelta(seconds=9))
    assert second.owner("shop", T0) == "a"
    first.close()
    second.close()


def test_a_connection_that_the_server_ended_is_replaced(postgres_url: str) -> None:
    store = open_store(postgres_url)
    store.save(Step(watches=(watch(),)))
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'deploy-watchdog' AND datname = current_database()"
        )
    assert store.watch("w1") == watch()
    store.close()


def test_a_locked_row_is_waited_for_a_bounded_time(postgres_url: str) -> None:
    store = SqlStore(postgres_url, timedelta(milliseconds=200))
    store.save(Step(watches=(watch(),)))
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM watchdog_watches FOR UPDATE")
        with pytest.raises(StoreUnavailable, match=r"storing a step: .*55P03.*locked"):
            store.save(Step(watches=(watch(version=2),)))
    store.save(Step(watches=(watch(version=2),)))
    store.close()


def test_no_server_is_unavailable_and_its_password_is_not_told() -> None:
    with pytest.raises(
        StoreUnavailable, match=r"opening the state: postgresql://me:\*\*\*@127.0.0.1:1/state"
    ) as caught:
        open_store("postgresql://me:hunter2@127.0.0.1:1/state")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.__cause__)


def test_a_database_that_may_only_be_read(postgres_url: str) -> None:
    open_store(postgres_url).close()
    store = open_store(postgres_url + "&options=-c%20default_transaction_read_only%3Don")
    with pytest.raises(StoreUnavailable, match="may only be read"):
        store.save(Step(watches=(watch(),)))
    store.close()


def test_a_newer_programs_state_and_a_document_that_does_not_read(postgres_url: str) -> None:
    store = open_store(postgres_url)
    store.save(Step(revisions=(revision(recorded={"TOKEN": "s3cr3t"}),)))
    with psycopg.connect(postgres_url) as other:
        other.execute("""UPDATE watchdog_revisions SET body = replace(body, '"exact":true', '"exact":"s3cr3t"')""")
        other.execute("UPDATE watchdog_schema SET version = 99")
    with pytest.raises(StoreDamaged, match="pg_dump") as caught:
        store.revisions("shop")
    assert "s3cr3t" not in str(caught.value)
    store.close()
    with pytest.raises(StoreDamaged, match="newer watchdog"):
        open_store(postgres_url)


def test_the_state_of_schema_1_gets_the_tables_it_lacks(postgres_url: str) -> None:
    open_store(postgres_url).close()
    with psycopg.connect(postgres_url) as other:
        other.execute("DROP TABLE watchdog_scrapes, watchdog_scrape_layouts")
        other.execute("UPDATE watchdog_schema SET version = 1")
    store = open_store(postgres_url)
    store.keep_scrape(scrape(1, 5.0))
    assert store.scrapes("shop page", at(0), at(9)) == [scrape(1, 5.0)]
    store.close()
    with psycopg.connect(postgres_url) as other:
        assert other.execute("SELECT version FROM watchdog_schema").fetchall() == [(2,)]


def test_a_table_that_is_gone(postgres_url: str) -> None:
    store = open_store(postgres_url)
    with psycopg.connect(postgres_url) as other:
        other.execute("DROP TABLE watchdog_pauses")
    with pytest.raises(StoreDamaged, match="42P01"):
        store.pause("shop")
    store.close()


def test_errors_repeat_no_values(postgres_url: str) -> None:
    store = open_store(postgres_url)
    with pytest.raises(StoreUnavailable) as caught:
        store.save(Step(revisions=(revision("a\0b", recorded={"TOKEN": "s3cr3t"}),)))
    chain = f"{caught.value} {caught.value.__cause__}"
    assert "s3cr3t" not in chain
    store.close()
