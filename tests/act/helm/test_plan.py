"""Whose the newest revision is, and what is done about it; and what counts as planned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watchdog.act.helm.actor import HelmActor
from watchdog.act.helm.plan import mark_of, next_step
from watchdog.kubernetes.releases import Release, plan_of
from watchdog.model.deploy import Phase, Rollout, Snapshot
from watchdog.model.rollback import Draft, Plan
from watchdog.model.target import HelmSpec, Target

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=15)
TARGET = Target(name="app", spec=HelmSpec(release="app", namespace="staging"))
PLAN = Plan(
    id="rb-1", target="app", watch="w", from_revision="7", from_fingerprint="v7", to_revision="5", draft=Draft(),
    made_at=NOW,
)  # fmt: skip


def stored(version: int, status: str = "superseded", *, plan: str | None = None, quiet: int = 60) -> Release:
    written = NOW - timedelta(seconds=quiet)
    return Release(
        namespace="staging", name="app", version=version, status=status, uid=str(version), created=written,
        modified=written, plan=plan,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("newest", "kind", "words"),
    [
        (stored(7, "deployed"), "act", ""),
        (stored(7, "failed"), "act", ""),
        (stored(7, "pending-upgrade"), "refuse", "revision 7 is pending-upgrade, last written 1m ago"),
        (stored(7, "pending-upgrade", quiet=901), "act", ""),
        (stored(7, "uninstalling"), "refuse", "the release is uninstalling"),
        (stored(8, "deployed"), "refuse", "revision 8 (deployed) is newer than the plan's 7"),
        (stored(8, "pending-upgrade", quiet=901), "refuse", "someone deployed in between"),
        (stored(8, "deployed", plan="rb-1"), "done", "already as planned: revision 8 brought 5 back"),
        (stored(8, "deployed", plan="rb-0"), "refuse", "someone deployed in between"),
        (stored(8, "pending-rollback", plan="rb-1", quiet=1), "ours is pending", "revision 8 of this plan"),
        (stored(8, "failed", plan="rb-1"), "refuse", "there is no second try by itself"),
    ],
)
def test_the_newest_revision_says_what_is_next(newest: Release, kind: str, words: str):
    step = next_step([newest, stored(6), stored(5)], PLAN, LIMIT, NOW)
    assert step.kind == kind
    assert words in step.reason


def test_a_revision_that_fell_out_of_the_history_is_not_brought_back():
    step = next_step([stored(7, "deployed"), stored(6)], PLAN, LIMIT, NOW)
    assert (step.kind, step.reason) == ("refuse", "revision 5 is no longer in Helm's history")
    assert next_step([], PLAN, LIMIT, NOW).kind == "refuse"


def test_the_mark_is_of_the_revision_that_the_plan_makes():
    labels = {"deploy-watchdog/plan": mark_of("rb-1", 8)}
    assert plan_of({**labels, "version": "8"}) == "rb-1"
    assert plan_of({**labels, "version": "9"}) is None, "inherited by a later deploy"


def running(name: str, phase: Phase = Phase.complete, reason: str = "", **fields: str) -> Snapshot:
    return Snapshot(at=NOW, fingerprint=f"v{name}", name=name, rollout=Rollout(phase=phase, reason=reason), **fields)


@pytest.mark.parametrize(
    ("snapshot", "differences"),
    [
        (running("8", plan="rb-1"), []),
        (running("8", brought_back="5"), []),
        (running("7"), ["revision 7 runs, and is not the rollback to 5"]),
        (running("8"), ["revision 8 runs, and is not the rollback to 5"]),
        (running("8", plan="rb-0", brought_back="4"), ["revision 8 runs, and is not the rollback to 5"]),
        (running("6", brought_back="5"), ["revision 6 runs, and is not the rollback to 5"]),
        (running("8", Phase.arriving, "1 of 3 pods ready", plan="rb-1"), ["revision 8: 1 of 3 pods ready"]),
        (running("8", Phase.failed, plan="rb-1"), ["revision 8: its rollout is failed"]),
    ],
)
def test_what_runs_is_as_planned_when_the_plan_made_it_and_it_is_complete(snapshot: Snapshot, differences: list[str]):
    assert list(HelmActor().matches(TARGET, PLAN, snapshot)) == differences
