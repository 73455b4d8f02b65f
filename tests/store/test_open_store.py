"""Which store a config's `store` names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import within
from watchdog.errors import BadConfig
from watchdog.store import open_store
from watchdog.store.memory import MemoryStore
from watchdog.store.sql import SqlStore

ROOT = Path(__file__).parents[2]


def test_memory() -> None:
    assert isinstance(open_store("memory://"), MemoryStore)


def test_a_relative_file_is_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///state.db")
    assert isinstance(store, SqlStore)
    assert (tmp_path / "state.db").exists()
    store.close()


@pytest.mark.parametrize(
    "url", ["", "state.db", "mysql://root:hunter2@h/db", "sqlite://", "sqlite:///:memory:", "sqlite:///a.db?mode=ro"]
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(BadConfig, match=r"store: expected sqlite:///FILE") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


def test_a_url_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(BadConfig, match="%-escapes") as caught:
        open_store("postgresql://me:hun/ter2@host:port/db")
    assert "ter2" not in str(caught.value)


@pytest.mark.parametrize(("url", "absent"), [("memory://", "sqlalchemy"), ("sqlite:///{}/s.db", "psycopg")])
def test_what_is_not_used_is_not_loaded(url: str, absent: str, tmp_path: Path) -> None:
    lines = f"import sys; from watchdog.store import open_store; open_store({url.format(tmp_path)!r}).close()"
    check = f"{lines}; sys.exit({absent!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=within(60), cwd=ROOT)


def test_postgresql_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BadConfig, match=r"pip install 'deploy-watchdog\[postgres\]'"):
        open_store("postgresql://me@127.0.0.1:1/state")
