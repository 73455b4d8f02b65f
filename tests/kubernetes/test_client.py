"""The client against an API server that is not well. How it speaks with a real one is tried in tests/real/cluster."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.kubernetes.scripted import Answer, Query, ScriptedApi
from watchdog.errors import Refused, Unavailable
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.errors import Expired, Forbidden, NotThere, Throttled

PODS = "/api/v1/namespaces/shop/pods"


def cluster_of(api: ScriptedApi) -> Cluster:
    return Cluster(str(api.kubeconfig))


@pytest.mark.parametrize(
    ("code", "kind"),
    [(404, NotThere), (403, Forbidden), (410, Expired), (401, Refused), (422, Refused), (500, Unavailable)],
)
def test_an_answer_says_whether_to_try_again(tmp_path: Path, code: int, kind: type[Exception]):
    def script(_: int, __: Query, answer: Answer) -> None:
        answer.status(code, "because")

    with ScriptedApi(script, tmp_path).running() as api, pytest.raises(kind, match=rf"reading {PODS} .*because"):
        cluster_of(api).get(PODS)


def test_a_throttled_request_is_made_again_when_it_may(tmp_path: Path):
    def script(number: int, _: Query, answer: Answer) -> None:
        if number == 1:
            answer.status(429, "slow down", {"Retry-After": "1"})
        else:
            answer.json({"ok": True})

    with ScriptedApi(script, tmp_path).running() as api:
        began = time.monotonic()
        assert cluster_of(api).get(PODS) == {"ok": True}
        assert time.monotonic() - began >= 1
        assert len(api.queries) == 2


def test_a_wait_that_is_too_long_is_not_waited_for(tmp_path: Path):
    def script(_: int, __: Query, answer: Answer) -> None:
        answer.status(429, "slow down", {"Retry-After": "3600"})

    with ScriptedApi(script, tmp_path).running() as api, pytest.raises(Throttled, match="asks to wait 3600 s"):
        cluster_of(api).get(PODS)


def test_credentials_are_read_again_when_they_are_not_accepted(tmp_path: Path):
    def script(_: int, __: Query, answer: Answer) -> None:
        if api.headers[-1]["authorization"] == "Bearer fresh":
            answer.json({"ok": True})
        else:
            api.kubeconfig.write_text(api.kubeconfig.read_text().replace("t0ken", "fresh"))
            answer.status(401, "Unauthorized")

    api = ScriptedApi(script, tmp_path)
    with api.running():
        assert cluster_of(api).get(PODS) == {"ok": True}


def test_a_list_is_read_page_by_page(tmp_path: Path):
    def script(_: int, query: Query, answer: Answer) -> None:
        if "continue" in query:
            answer.json({"items": [{"n": 2}], "metadata": {}})
        else:
            answer.json({"items": [{"n": 1}], "metadata": {"continue": "more"}})

    with ScriptedApi(script, tmp_path).running() as api:
        assert cluster_of(api).items(PODS) == [{"n": 1}, {"n": 2}]
        assert [q["limit"] for q in api.queries] == ["500", "500"]


def test_an_answer_that_never_ends_is_not_waited_for(tmp_path: Path):
    ended = []

    def script(_: int, __: Query, answer: Answer) -> None:
        answer.begin()
        answer.stay()
        ended.append(True)

    with ScriptedApi(script, tmp_path).running() as api:
        with pytest.raises(Unavailable, match="no answer in time"):
            cluster_of(api)._json("GET", PODS, timeout=0.3)
        assert not ended


def test_nothing_listens(tmp_path: Path):
    api = ScriptedApi(lambda *_: None, tmp_path)
    with api.running():
        pass
    with pytest.raises(Unavailable, match="connection refused"):
        cluster_of(api).get(PODS)


def test_no_kubeconfig():
    with pytest.raises(Refused, match=r"cannot read how to reach the cluster of /nowhere.*set `helm.kubeconfig`"):
        Cluster("/nowhere").get("/version")


def test_an_expired_watch_says_so(tmp_path: Path):
    def script(_: int, __: Query, answer: Answer) -> None:
        answer.begin()
        answer.change("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})
        answer.end()

    with ScriptedApi(script, tmp_path).running() as api:
        stream = cluster_of(api).watch(PODS, {"resourceVersion": "1"})
        with pytest.raises(Expired, match="too old resource version"):
            list(stream)


def test_a_watch_that_breaks_off_is_unavailable(tmp_path: Path):
    def script(_: int, __: Query, answer: Answer) -> None:
        answer.begin()
        answer.change("ADDED", {"n": 1})
        answer.drop()

    with ScriptedApi(script, tmp_path).running() as api:
        stream = iter(cluster_of(api).watch(PODS, {}))
        assert next(stream) == ("ADDED", {"n": 1})
        with pytest.raises(Unavailable, match="the watch broke off"):
            next(stream)


def test_a_watch_can_be_ended_from_another_thread(tmp_path: Path):
    def script(_: int, __: Query, answer: Answer) -> None:
        answer.begin()
        answer.stay()

    with ScriptedApi(script, tmp_path).running() as api:
        stream = cluster_of(api).watch(PODS, {})
        threading.Timer(0.1, stream.end).start()
        assert list(stream) == []
