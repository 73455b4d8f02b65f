"""The index as a fold over literal objects, and the stream against an API server that is not well."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.kubernetes.examples import release_object
from tests.kubernetes.scripted import Answer, Query, ScriptedApi
from tests.waiting import within
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.releases import Release, release_of
from watchdog.observe.helm import release_stream as helm_releases
from watchdog.observe.helm.release_stream import Index, ReleaseStream


def told(found: Release | None) -> str | None:
    return f"{found.name} {found.version} {found.status}" if found else None


def test_a_change_is_told_once():
    index = Index()
    assert told(index.note("ADDED", release_object())) == "app 1 deployed"
    assert told(index.note("MODIFIED", release_object())) is None
    assert told(index.note("ADDED", release_object(version=2, status="pending-upgrade"))) == "app 2 pending-upgrade"
    assert told(index.note("MODIFIED", release_object(version=2))) == "app 2 deployed"


def test_an_older_revision_is_no_news():
    index = Index()
    index.note("ADDED", release_object(version=2))
    assert index.note("ADDED", release_object(version=1, status="failed")) is None
    assert index.note("DELETED", release_object(version=1)) is None
    assert told(index.newest("shop", "app")) == "app 2 deployed"


def test_a_release_that_is_gone_is_told_with_its_last_revision():
    index = Index()
    index.note("ADDED", release_object(version=3))
    assert told(index.note("DELETED", release_object(version=3))) == "app 3 deployed"
    assert index.newest("shop", "app") is None


def test_what_is_no_release_is_not_kept():
    index = Index()
    assert index.note("ADDED", {"metadata": {"name": "other"}}) is None
    assert index.all() == []


def test_a_full_list_finds_what_was_missed():
    index = Index()
    for name in ("same", "changed", "gone"):
        index.note("ADDED", release_object(name))
    fresh = [release_object("same"), release_object("changed", version=2), release_object("new")]
    news = index.replace(r for r in map(release_of, fresh) if r)
    assert sorted(filter(None, map(told, news))) == ["changed 2 deployed", "gone 1 deployed", "new 1 deployed"]


class Heard:
    def __init__(self) -> None:
        self.told: list[str | None] = []
        self._heard = threading.Condition()

    def __call__(self, release: Release) -> None:
        with self._heard:
            self.told.append(told(release))
            self._heard.notify_all()

    def wait(self, words: str) -> None:
        with self._heard:
            assert self._heard.wait_for(lambda: words in self.told, within(10)), self.told


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helm_releases, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(helm_releases, "LONGEST_WAIT", 0.1)


def follow(script, folder: Path, *words: str) -> list[Query]:
    """Run a stream against the script until all of this was heard. Returns the requests that were made."""
    heard = Heard()
    with ScriptedApi(script, folder).running() as api:
        cluster = Cluster(str(api.kubeconfig))
        stream = ReleaseStream(cluster, "secret", None, heard)
        stream.start()
        try:
            for one in words:
                heard.wait(one)
            return list(api.queries)
        finally:
            stream.stop()
            cluster.close()


def listed(answer: Answer, *things: dict, version: str = "50") -> None:
    answer.json({"items": list(things), "metadata": {"resourceVersion": version}})


def test_a_list_and_then_a_watch_from_there(tmp_path: Path):
    def script(number: int, query: Query, answer: Answer) -> None:
        if number == 1:
            listed(answer, release_object())
        else:
            answer.begin()
            answer.change("ADDED", release_object(version=2, status="pending-upgrade"))
            answer.stay()

    queries = follow(script, tmp_path, "app 1 deployed", "app 2 pending-upgrade")
    assert queries[0]["labelSelector"] == "owner=helm,status!=superseded"
    assert queries[0]["fieldSelector"] == "type=helm.sh/release.v1"
    assert queries[1]["resourceVersion"] == "50"
    assert queries[1]["allowWatchBookmarks"] == "true"


def test_a_stream_that_ends_goes_on_at_the_bookmark_without_a_list(tmp_path: Path):
    def script(number: int, query: Query, answer: Answer) -> None:
        if number == 1:
            listed(answer)
            return
        answer.begin()
        if number == 2:
            answer.change("BOOKMARK", {"metadata": {"resourceVersion": "77"}})
            answer.end()
        else:
            answer.change("ADDED", release_object())
            answer.stay()

    queries = follow(script, tmp_path, "app 1 deployed")
    assert [q.get("resourceVersion") for q in queries] == [None, "50", "77"]


@pytest.mark.parametrize("how", ["as an error in the stream", "as an answer"])
def test_an_expired_version_leads_to_a_new_list(tmp_path: Path, how: str):
    def script(number: int, query: Query, answer: Answer) -> None:
        if number in (1, 3):
            listed(answer, release_object(version=number), version=str(number * 100))
        elif number == 2 and how == "as an answer":
            answer.status(410, "too old")
        elif number == 2:
            answer.begin()
            answer.change("ERROR", {"code": 410, "message": "too old"})
            answer.end()
        else:
            answer.begin()
            answer.stay()

    queries = follow(script, tmp_path, "app 1 deployed", "app 3 deployed")
    assert "watch" not in queries[2]


def test_a_dropped_stream_is_opened_again_where_it_was(tmp_path: Path):
    def script(number: int, query: Query, answer: Answer) -> None:
        if number == 1:
            listed(answer)
        elif number == 2:
            answer.begin()
            answer.change("ADDED", release_object(version=1))
            answer.drop()
        else:
            answer.begin()
            answer.change("ADDED", release_object(version=2))
            answer.stay()

    queries = follow(script, tmp_path, "app 1 deployed", "app 2 deployed")
    assert queries[2]["resourceVersion"] == "101"


@pytest.mark.parametrize("code", [429, 403, 500, 503])
def test_an_api_server_that_says_no_is_asked_again(tmp_path: Path, code: int):
    def script(number: int, query: Query, answer: Answer) -> None:
        if number <= 2:
            answer.status(code, "not now", {"Retry-After": "11"} if code == 429 else None)
        elif "watch" in query:
            answer.begin()
            answer.stay()
        else:
            listed(answer, release_object())

    follow(script, tmp_path, "app 1 deployed")


def test_a_resync_lists_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(helm_releases, "RESYNC", 0.05)
    lists = []

    def script(number: int, query: Query, answer: Answer) -> None:
        if "watch" in query:
            answer.begin()
            answer.end()
        else:
            lists.append(number)
            listed(answer, release_object(version=min(len(lists), 2)))

    follow(script, tmp_path, "app 1 deployed", "app 2 deployed")
