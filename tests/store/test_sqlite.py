"""The state file: its mode, its locks, and everything that can be wrong with it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.components import require
from tests.store.examples import at, ended, event, full_watch, logs, measurement, revision, scrape, watch
from tests.waiting import within
from watchdog.errors import StoreDamaged, StoreUnavailable
from watchdog.store import open_store
from watchdog.store.base import Step
from watchdog.store.sql import SqlStore

ROOT = Path(__file__).parents[2]

SHORT = timedelta(milliseconds=200)


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def opened(path: Path) -> Iterator[SqlStore]:
    store = SqlStore(url(path), SHORT)
    yield store
    store.close()


def contents(folder: Path) -> dict[str, str]:
    """What is in the files; SQLite leaves an empty -wal and its index beside a file that was only read."""
    files = [p for p in folder.iterdir() if not p.name.endswith("-shm") and p.stat().st_size]
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def filled(path: Path, rows: int = 300) -> None:
    store = open_store(url(path))
    store.save(Step(watches=(full_watch(),), revisions=(revision(),)))
    store.save(Step(measurements=tuple(measurement(seconds=n) for n in range(rows)), events=(event(),)))
    store.close()


class TestTheFile:
    def test_only_its_owner_may_read_it_whatever_the_umask(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            store = open_store(url(tmp_path / "state.db"))
            store.save(Step(watches=(watch(),)))
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
            store.close()
        finally:
            os.umask(before)
        assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}

    def test_an_existing_mode_is_kept(self, path: Path) -> None:
        path.touch(mode=0o640)
        path.chmod(0o640)
        open_store(url(path)).close()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_it_keeps_everything_when_opened_again(self, path: Path) -> None:
        filled(path)
        store = open_store(url(path))
        assert store.open_watches() == [full_watch()]
        assert len(store.measurements("w1")) == 300
        store.close()

    def test_it_is_in_wal_mode_also_after_a_backup_was_restored_otherwise(self, path: Path) -> None:
        filled(path)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
        open_store(url(path)).close()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_what_a_rollback_relies_on_survives_a_power_cut(self, opened: SqlStore) -> None:
        asked: list[str] = []
        from sqlalchemy import event as hooks

        hooks.listen(opened._engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
        opened.save(Step(measurements=(measurement(),)))
        opened.save(Step(watches=(full_watch(),)))
        assert [s for s in asked if "synchronous" in s] == ["PRAGMA synchronous=NORMAL", "PRAGMA synchronous=FULL"]

    @pytest.mark.parametrize(
        ("query", "index"),
        [
            ("SELECT id, version FROM watchdog_watches WHERE is_open = 1 ORDER BY opened_at, id", "watches_open"),
            ("SELECT body FROM watchdog_measurements WHERE watch = 'w' ORDER BY seq DESC LIMIT 9", "of_watch"),
            ("SELECT body FROM watchdog_measurements WHERE watch = 'w' AND rule = 'r' ORDER BY seq DESC", "of_rule"),
            ("SELECT body FROM watchdog_revisions WHERE target = 't' AND fingerprint = 'f' ORDER BY seen_at", "finger"),
            ("SELECT * FROM watchdog_notices WHERE state = 'waiting' AND next_at <= 9 ORDER BY next_at, seq", "due"),
            ("SELECT body FROM watchdog_watches WHERE target = 't' ORDER BY opened_at DESC, id DESC", "of_target"),
        ],
    )
    def test_frequent_questions_use_an_index_and_sort_nothing(
        self, opened: SqlStore, path: Path, query: str, index: str
    ) -> None:
        with closing(sqlite3.connect(path)) as connection:
            plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
        assert index in plan
        assert "TEMP B-TREE" not in plan

    def test_open_watches_reads_only_what_changed(self, opened: SqlStore) -> None:
        opened.save(Step(watches=tuple(watch(f"w{n:04}", opened_at=at(n)) for n in range(1_000))))
        assert len(opened.open_watches()) == 1_000
        with closing(sqlite3.connect(opened._place.file or "")) as other:  # would not parse, if it were read
            other.execute("UPDATE watchdog_watches SET body = 'x' WHERE id <> 'w0007'")
            other.commit()
        opened.save(Step(watches=(watch("w0007", 2, opened_at=at(7), end_reason="changed"),)))
        found = opened.open_watches()
        assert (len(found), found[7].end_reason) == (1_000, "changed")
        opened.save(Step(watches=(ended("w0007", 3, at(9), opened_at=at(7)),)))
        assert len(opened.open_watches()) == 999
        assert "w0007" not in opened._parsed


class TestLocks:
    def test_a_locked_file_is_waited_for_a_bounded_time(self, opened: SqlStore, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match=r"storing a step: .*state\.db.* locked .*for 0\.2s.*fuser"):
                opened.save(Step(watches=(watch(),)))
            assert opened.watch("w1") is None  # readers do not wait
        opened.save(Step(watches=(watch(),)))
        assert opened.watch("w1") is not None

    def test_a_short_lock_is_waited_out(self, path: Path) -> None:
        store = SqlStore(url(path), timedelta(seconds=200))
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, other.execute, ["COMMIT"])
        release.start()
        store.save(Step(watches=(watch(),)))
        release.join(within(10))
        other.close()
        assert store.watch("w1") is not None
        store.close()

    def test_it_opens_while_another_process_writes(self, opened: SqlStore, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            SqlStore(url(path), SHORT).close()

    def test_threads_write_side_by_side(self, path: Path) -> None:
        store = open_store(url(path), timedelta(seconds=200))

        def write(name: str) -> None:
            for n in range(1, 26):
                store.save(Step(watches=(watch(name, n),), measurements=(measurement(name),)))
                store.open_watches()

        threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(within(60))
        assert [w.version for w in store.open_watches()] == [25] * 4
        assert [len(store.measurements(f"w{n}")) for n in range(4)] == [25] * 4
        store.close()


class TestDamage:
    def refused(self, path: Path, match: str) -> str:
        before = contents(path.parent)
        with pytest.raises(StoreDamaged, match=match) as caught:
            open_store(url(path))
        assert contents(path.parent) == before
        return str(caught.value)

    def test_a_file_of_something_else(self, path: Path) -> None:
        path.write_bytes(b"these are my shopping notes\n" * 400)
        said = self.refused(path, "not a database")
        aside = path.parent / "damaged-state"
        assert f"mkdir {aside} && mv {path}* {aside}/" in said

    def test_the_command_it_names_keeps_the_file_and_starts_afresh(self, path: Path) -> None:
        path.write_bytes(b"garbage " * 600)
        command = self.refused(path, "mkdir").splitlines()[-1]
        subprocess.run(["sh", "-c", command], check=True, timeout=within(10))
        open_store(url(path)).close()
        assert (path.parent / "damaged-state" / "state.db").read_bytes() == b"garbage " * 600

    def test_a_truncated_file(self, path: Path) -> None:
        filled(path)
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        self.refused(path, "malformed|quick_check|not what was written")

    def test_a_file_with_a_hole_in_it(self, path: Path) -> None:
        filled(path)
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2 // 4096 * 4096)
            file.write(b"\xff" * 8192)
        self.refused(path, "not what was written")

    def test_a_damaged_file_beside_a_log_of_a_killed_process(self, path: Path) -> None:
        filled(path)
        store = open_store(url(path))
        store.save(Step(watches=(watch("w2"),)))
        log = Path(f"{path}-wal")
        kept = log.read_bytes()
        store.close()
        log.write_bytes(kept)  # as a kill leaves it: not yet folded into the file
        path.write_bytes(b"\x00garbage" * 1_000)
        self.refused(path, "not what was written")

    def test_a_database_of_another_program(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE recipes (name TEXT)")
        self.refused(path, "another program")

    def test_a_newer_programs_state(self, path: Path) -> None:
        filled(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE watchdog_schema SET version = 99")
            connection.commit()
        self.refused(path, "newer watchdog .schema 99; this program knows 2.")

    def test_the_state_of_schema_1_gets_the_tables_it_lacks(self, path: Path) -> None:
        filled(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE watchdog_scrapes")
            connection.execute("DROP TABLE watchdog_scrape_layouts")
            connection.execute("UPDATE watchdog_schema SET version = 1")
            connection.commit()
        for _ in range(2):
            with closing(open_store(url(path))) as store:
                store.keep_scrape(scrape(1, 5.0))
                assert store.watch("w1") is not None
                assert store.scrapes("shop page", at(0), at(9)) == [scrape(1, 5.0)]
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT version FROM watchdog_schema").fetchall() == [(2,)]

    @pytest.mark.parametrize("change", ["DELETE FROM watchdog_schema", "UPDATE watchdog_schema SET version = 0"])
    def test_a_state_without_its_version(self, path: Path, change: str) -> None:
        filled(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(change)
            connection.commit()
        self.refused(path, "schema version")

    def test_a_table_that_is_gone(self, opened: SqlStore, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE watchdog_pauses")
        with pytest.raises(StoreDamaged, match=r"reading pauses: .*no such table"):
            opened.pause("shop")

    def test_a_document_that_does_not_read_is_not_repeated(self, opened: SqlStore, path: Path) -> None:
        opened.save(Step(revisions=(revision(recorded={"TOKEN": "s3cr3t"}),), watches=(watch(),)))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                """UPDATE watchdog_revisions SET body = replace(body, '"exact":true', '"exact":"s3cr3t"')"""
            )
            connection.execute("UPDATE watchdog_watches SET body = substr(body, 1, 40)")
            connection.commit()
        with pytest.raises(StoreDamaged, match=r"a stored Revision does not read .exact: bool_parsing") as caught:
            opened.revision("shop", "r1")
        assert "s3cr3t" not in str(caught.value)
        assert caught.value.__cause__ is None
        another = open_store(url(path))  # the one that wrote the watch need not read it again to know it is open
        for ask in (another.open_watches, another.watches, lambda: opened.watch("w1")):
            with pytest.raises(StoreDamaged, match="a stored Watch does not read"):
                ask()
        another.close()

    def test_an_empty_file_is_a_fresh_state(self, path: Path) -> None:
        path.touch()
        store = open_store(url(path))
        assert store.watches() == []
        store.close()


def in_a_process(script: str, *arguments: object) -> str:
    """Run a few lines with limits of their own; gives what they print."""
    head = """
import os, resource, sys
from watchdog.errors import StoreUnavailable
from watchdog.store import open_store
from watchdog.store.base import Step
import watchdog.store.sql, sqlalchemy.dialects.sqlite
from tests.store.examples import *
"""
    done = subprocess.run(
        [sys.executable, "-c", head + script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=within(60),
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestDisk:
    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable, match=r"creating the state: .*No such file or directory.*folder"):
            open_store(url(tmp_path / "gone" / "state.db"))

    def test_a_folder_in_its_place(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable, match="opening the state"):
            open_store(url(tmp_path))

    def test_a_size_limit_stops_the_step_and_nothing_else(self, path: Path) -> None:
        filled(path)
        said = in_a_process(
            """
store = open_store(sys.argv[1])
store.save(Step(watches=(watch("before"),)))
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
big = tuple(("w1", logs("x" * 100_000)) for _ in range(40))
try:
    store.save(Step(watches=(watch("w9"),), evidence=big))
except StoreUnavailable as error:
    print(error)
assert store.watch("w9") is None and store.evidence("w1") == []
assert store.watch("before") is not None and len(store.measurements("w1")) == 300
store.save(Step(watches=(watch("after"),)))
assert store.watch("after") is not None
os._exit(0)  # closing would fold the log, which the limit forbids
""",
            url(path),
        )
        assert "storing a step" in said
        assert "nothing of this step was stored" in said
        store = open_store(url(path))
        assert {w.id for w in store.watches()} == {"w1", "before", "after"}
        store.close()

    def test_a_full_disk_stops_the_step_and_nothing_else(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="watchdog-full-"))
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder],
            check=False,
            timeout=within(10),
            capture_output=True,
        )
        try:
            require("the right to mount a small disk", mounted.returncode == 0)
            store = open_store(url(folder / "state.db"))
            store.save(Step(watches=(watch(),)))
            with pytest.raises(StoreUnavailable, match=r"storing a step: .*state\.db: the disk is full.*SQLITE_FULL"):
                store.save(Step(watches=(watch("w2"),), evidence=tuple(("w1", logs("x" * 100_000)) for _ in range(20))))
            assert [w.id for w in store.watches()] == ["w1"]
            store.save(Step(watches=(watch(version=2),)))
            store.close()
            again = open_store(url(folder / "state.db"))
            assert [(w.id, w.version) for w in again.watches()] == [("w1", 2)]
            again.close()
        finally:
            if not mounted.returncode:
                subprocess.run(["umount", folder], check=True, timeout=within(10))
            folder.rmdir()

    def test_a_file_that_may_only_be_read_answers_and_does_not_write(self) -> None:
        with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to other users
            path = Path(name) / "state.db"
            filled(path)
            path.chmod(0o444)
            Path(name).chmod(0o777)  # as in /tmp: -shm can be made, the file itself not written
            said = in_a_process(
                """
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = open_store(sys.argv[1])
print(len(store.measurements("w1")))
try:
    store.save(Step(watches=(watch("w9"),)))
except StoreUnavailable as error:
    print(error)
store.close()
""",
                url(path),
            )
        assert said.startswith("300\nstoring a step: ")
        assert "may only be read" in said

    def test_a_file_of_another_user_is_not_opened(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "state.db"
            filled(path)
            path.chmod(0)
            Path(name).chmod(0o755)
            said = in_a_process(
                """
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    open_store(sys.argv[1])
except StoreUnavailable as error:
    print(error)
""",
                url(path),
            )
        assert "opening the state" in said
        assert "cannot be opened" in said
