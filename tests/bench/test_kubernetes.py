"""What stands beside a deploy on a cluster, fed with what containerd, pods and the API server say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.api_requests import counted
from bench.beside import Beside, crashes_in
from bench.releases import secret
from watchdog.kubernetes.releases import body_of, release_of

EXITS = """\
2026-11-25 18:58:05.103400999 +0000 UTC k8s.io /tasks/exit {"container_id":"b","id":"b","pid":7,"exit_status":3}
2026-11-25 18:58:04.500000001 +0000 UTC k8s.io /tasks/exit {"container_id":"a","id":"a","pid":6,"exit_status":3}
2026-11-25 18:58:06.000000001 +0000 UTC k8s.io /tasks/exit {"container_id":"old","id":"old","exit_status":143}
2026-11-25 18:58:06.100000001 +0000 UTC k8s.io /tasks/delete {"container_id":"a","id":"a","exit_status":3}
2026-11-25 18:58:06.200000001 +0000 UTC k8s.io /tasks/exit {"container_id":"ended well","id":"c"}
"""


def pod(name: str, *, fault: str = "none", restarts: int = 0, ended: int | None = None, **also: Any) -> dict[str, Any]:
    state = {"running": {}} if ended is None else {"terminated": {"exitCode": ended}}
    ready = {"type": "Ready", "status": str(also.get("ready", False))}
    statuses = [{"name": "service", "restartCount": restarts, "state": state}]
    container = {"name": "service", "env": [{"name": "FAULT", "value": fault}]}
    metadata = {"name": name, **({"deletionTimestamp": "2026-11-25T19:00:00Z"} if also.get("going") else {})}
    status = {"containerStatuses": statuses, "conditions": [ready]}
    return {"metadata": metadata, "spec": {"containers": [container]}, "status": status}


def test_crashes_are_read_from_what_containerd_tells():
    first, second = crashes_in(EXITS)
    assert round(second - first, 4) == 0.6034
    assert round(second % 60, 4) == 5.1034


def test_the_second_crash_is_told_with_or_before_its_restart(tmp_path: Path):
    noted = Beside(tmp_path / "tasks.log")
    noted.note_pod("ADDED", pod("new", fault="crash"))
    noted.note_pod("MODIFIED", pod("new", fault="crash", ended=3))
    noted.note_pod("MODIFIED", pod("new", fault="crash", restarts=1))
    assert len(noted.told) == 1
    noted.note_pod("MODIFIED", pod("new", fault="crash", restarts=1, ended=3))
    assert len(noted.told) == 2
    assert noted.ready == []


def test_only_a_new_good_pod_that_stays_counts_as_ready(tmp_path: Path):
    noted = Beside(tmp_path / "tasks.log")
    noted.note_pod("MODIFIED", pod("was there before", ready=True))
    noted.note_pod("ADDED", pod("bad", fault="crash", ready=True))
    noted.note_pod("ADDED", pod("going", ready=True, going=True))
    noted.note_pod("ADDED", pod("back"))
    assert noted.ready == []
    noted.note_pod("MODIFIED", pod("back", ready=True))
    assert len(noted.ready) == 1


def test_a_release_counts_from_its_first_word_on(tmp_path: Path):
    noted = Beside(tmp_path / "tasks.log")
    there = secret("app")
    there["metadata"]["creationTimestamp"] = "2026-11-25T18:58:00Z"
    noted.note_release("MODIFIED", there)
    assert noted.releases == []
    noted.note_release("ADDED", there)
    assert len(noted.releases) == 1


def test_a_made_release_is_one_for_the_watchdog():
    made = secret("r00007")
    made["metadata"]["creationTimestamp"] = "2026-11-25T18:58:00Z"
    release = release_of(made)
    assert release is not None
    assert (release.name, release.version, release.status) == ("r00007", 1, "deployed")
    assert body_of({**made, "kind": "Secret"})["chart"]["metadata"]["name"] == "bench"


def test_only_the_daemons_own_requests_are_counted():
    metrics = """\
# TYPE apiserver_flowcontrol_dispatched_requests_total counter
apiserver_flowcontrol_dispatched_requests_total{flow_schema="bench-daemon",priority_level="workload-low"} 39
apiserver_flowcontrol_dispatched_requests_total{flow_schema="exempt",priority_level="exempt"} 812
apiserver_flowcontrol_rejected_requests_total{flow_schema="bench-daemon",priority_level="workload-low"} 4
"""
    assert counted(metrics) == 39
    assert counted("") == 0
