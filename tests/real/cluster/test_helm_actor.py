"""The Helm actor against a real cluster, with Helm 3 and 4."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.real.cluster.cluster import CHART, PROGRAMS, Cluster, kill_group, wait_until
from watchdog.act.helm import HelmActor
from watchdog.act.helm_storage import PLAN_LABEL
from watchdog.errors import Refused
from watchdog.model.deploy import Phase, Revision, Rollout, Snapshot
from watchdog.model.rollback import Objections, Plan
from watchdog.model.target import HelmSpec, RollbackPolicy, Target

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class Release:
    """One release in a namespace, what a test does to it, and the actor that is tried."""

    def __init__(self, cluster: Cluster, namespace: str, version: int) -> None:
        self.cluster, self.namespace, self.version = cluster, namespace, version
        self.actor = HelmActor()

    def target(self, kubeconfig: Path | None = None, **policy: Any) -> Target:
        spec = HelmSpec(
            release="app",
            namespace=self.namespace,
            kubeconfig=str(kubeconfig or self.cluster.kubeconfig),
            helm=str(PROGRAMS / f"helm{self.version}"),
            pending_limit=timedelta(minutes=15),
        )
        return Target(name="app", spec=spec, rollback=RollbackPolicy(timeout=timedelta(seconds=40), **policy))

    def deploy(self, *values: str, wait: bool = True, check: bool = True) -> None:
        sets = [word for value in values for word in ("--set", value)]
        waits = ["--wait", "--timeout", "60s"] if wait else []
        argv = ("upgrade", "--install", "app", str(CHART), "-n", self.namespace, *sets, *waits)
        self.cluster.helm(self.version, *argv, check=check)

    def stored(self) -> dict[int, dict[str, str]]:
        """The labels of each revision."""
        found = self.cluster.get("secrets", "-n", self.namespace, "-l", "owner=helm,name=app")["items"]
        return {int(s["metadata"]["labels"]["version"]): s["metadata"]["labels"] for s in found}

    def statuses(self) -> dict[int, str]:
        return {version: labels["status"] for version, labels in sorted(self.stored().items())}

    def running(self, **fields: Any) -> Snapshot:
        newest = max(self.stored())
        given = {"name": str(newest), "rollout": Rollout(phase=Phase.complete), **fields}
        return Snapshot(at=NOW, fingerprint=str(newest), **given)

    def plan(self, to: str = "1", target: Target | None = None, plan_id: str = "rb-0123456789ab") -> Plan:
        running = self.running()
        draft = self.actor.draft(target or self.target(), revision(to), running)
        return Plan(
            id=plan_id, target="app", watch="w1", from_revision=str(running.name), from_fingerprint=running.fingerprint,
            to_revision=to, draft=draft, made_at=NOW,
        )  # fmt: skip


def revision(name: str) -> Revision:
    return Revision(target="app", id=name, fingerprint=name, seen_at=NOW)


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def release(cluster: Cluster, namespace: str, request: pytest.FixtureRequest) -> Release:
    return Release(cluster, namespace, request.param)


def test_back_to_the_revision_that_is_named_and_only_once(release: Release):
    release.deploy()
    release.deploy("note=two")
    release.deploy("probePath=/nothing", wait=False)
    plan = release.plan("1")
    assert plan.draft.expected == {"revision": "1"}
    assert "Deployment/app" in plan.draft.changes
    assert (plan.draft.warnings, plan.draft.objections) == ((), ())

    result = release.actor.execute(release.target(), plan, revision("1"))

    assert result.ok, (result.reason, result.output)
    assert release.statuses() == {1: "superseded", 2: "superseded", 3: "superseded", 4: "deployed"}
    assert release.stored()[4][PLAN_LABEL] == f"{plan.id}.4"
    again = release.actor.execute(release.target(), plan, revision("1"))
    assert again.ok
    assert again.reason == "already as planned: revision 4 brought 1 back"
    assert max(release.stored()) == 4
    later = release.running(plan=plan.id)
    assert release.actor.matches(release.target(), plan, later) == ()
