from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.kubernetes.scripted import Answer, Query, ScriptedApi
from tests.observe.helm.objects import ended, pod, running, status, waiting
from tests.waiting import within
from watchdog.kubernetes.client import Cluster
from watchdog.observe.helm.pod_stream import PodStream, digest


def labelled(found: dict, **labels: str) -> dict:
    return {**found, "metadata": {**found["metadata"], "labels": labels}}


@pytest.mark.parametrize(
    "after",
    [
        pod(status(ended(1, 5))),
        pod(status(running(6), ended(1, 5), restarts=1)),
        pod(status(waiting("CrashLoopBackOff"))),
        pod(status(running(2), ready=True)),
        pod(status(running(2)), phase="Failed", reason="Evicted"),
    ],
)
def test_a_digest_changes_when_something_happens(after: dict):
    assert digest(after) != digest(pod(status(running(2))))


def test_a_digest_does_not_change_with_what_nobody_sees():
    before = pod(status(running(2)), podIP="10.0.0.1")
    assert digest(before) == digest(pod(status(running(2)), podIP="10.0.0.2"))


def test_only_the_targets_whose_pods_they_are_are_woken(tmp_path: Path):
    def script(number: int, query: Query, answer: Answer) -> None:
        followed.wait(within(10))
        answer.begin()
        calm, crashed = labelled(pod(status(running(2))), app="api"), labelled(pod(status(ended(1, 5))), app="api")
        for thing in (calm, calm, crashed):
            answer.change("MODIFIED", thing)
        answer.change("MODIFIED", labelled(pod(name="last"), app="end"))
        answer.stay()

    woken: list[str] = []
    followed, done = threading.Event(), threading.Event()

    def wake(name: str) -> None:
        woken.append(name)
        if name == "end":
            done.set()

    with ScriptedApi(script, tmp_path).running() as api:
        cluster = Cluster(str(api.kubeconfig))
        stream = PodStream(cluster, "shop", wake)
        try:
            stream.follow("other", ({"app": "other"},))
            stream.follow("api", ({"app": "api"},))
            stream.follow("end", ({"app": "end"},))
            followed.set()
            assert done.wait(within(10))
        finally:
            stream.stop()
            cluster.close()
    assert woken == ["api", "api", "end"]
