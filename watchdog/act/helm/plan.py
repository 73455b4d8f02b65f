"""Whose the newest revision is, and what that means for a plan that is to be carried out now.

Pure. A plan's own revision carries its mark from birth: Helm copies the labels of the revision that is brought back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from watchdog.kubernetes.releases import DEPLOYED, GONE, Release
from watchdog.model.base import format_duration
from watchdog.model.rollback import Plan


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now, and why."""

    kind: Literal["act", "done", "refuse", "ours is pending"]
    reason: str


def next_step(history: Sequence[Release], plan: Plan, pending_limit: timedelta, now: datetime) -> Step:
    """`history` is newest first."""
    if not history:
        return Step("refuse", "the release is not there any more")
    newest = history[0]
    if newest.plan == plan.id:
        return _ours(newest, plan)
    in_the_way = _in_the_way(newest, plan, pending_limit, now)
    if not in_the_way and not any(str(stored.version) == plan.to_revision for stored in history):
        in_the_way = f"revision {plan.to_revision} is no longer in Helm's history"
    return Step("refuse", in_the_way) if in_the_way else Step("act", "")


def _in_the_way(newest: Release, plan: Plan, pending_limit: timedelta, now: datetime) -> str:
    if newest.status in GONE:
        return f"the release is {newest.status}"
    if plan.from_revision.isdigit() and newest.version > int(plan.from_revision):
        what = f"revision {newest.version} ({newest.status}) is newer than the plan's {plan.from_revision}"
        return f"{what}: someone deployed in between"
    if newest.pending and (quiet := now - newest.modified) <= pending_limit:
        what = f"revision {newest.version} is {newest.status}, last written {format_duration(quiet)} ago"
        return f"{what}: never beside an operation under way (pending_limit is {format_duration(pending_limit)})"
    return ""


def _ours(newest: Release, plan: Plan) -> Step:
    if newest.status == DEPLOYED:
        return Step("done", f"already as planned: revision {newest.version} brought {plan.to_revision} back")
    if newest.pending:
        return Step("ours is pending", f"revision {newest.version} of this plan is {newest.status}")
    return Step(
        "refuse", f"revision {newest.version} of this plan is {newest.status}; there is no second try by itself"
    )


def differences(
    plan: Plan, name: str | None, made_by: str | None, brought_back: str | None, problem: str
) -> tuple[str, ...]:
    """Where what runs differs from the plan. `problem`: why the rollout is not complete; empty: it is."""
    ours = made_by == plan.id
    numbers = name is not None and name.isdigit() and plan.from_revision.isdigit()
    same = brought_back == plan.to_revision and numbers and int(name or 0) > int(plan.from_revision)
    if not ours and not same:
        return (f"revision {name} runs, and is not the rollback to {plan.to_revision}",)
    return (f"revision {name}: {problem}",) if problem else ()


def mark_of(plan: str, version: int) -> str:
    """The value of the plan's label on the revision it makes."""
    return f"{plan}.{version}"
