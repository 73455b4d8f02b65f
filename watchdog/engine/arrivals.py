"""What a snapshot means, given what was known: nothing new, a deploy, more of the same rollout, or an empty place.

Pure. Restarts and scaling do not change a fingerprint, so they never come here as deploys.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from watchdog.model.deploy import Revision, Snapshot
from watchdog.model.incident import Bookmark
from watchdog.model.rollback import Plan
from watchdog.model.watch import Watch, WatchState

SAME_ROLLOUT = timedelta(seconds=10)
"""A fingerprint that changes again this soon is still the same rollout: services are replaced one after another."""


class Arrival(Enum):
    """What came."""

    nothing = "nothing"
    first_sight = "first sight"
    deploy = "deploy"
    rollback = "rollback"
    """Somebody brought an earlier revision back: not a deploy to be judged."""
    same_rollout = "same rollout"
    taken_down = "taken down"


def arrival(snapshot: Snapshot, bookmark: Bookmark | None, watch: Watch | None, now: datetime) -> Arrival:
    """Compare what runs with the bookmark. `watch` is the target's open watch of a deploy, if it has one."""
    if not snapshot.fingerprint or stopped_on_purpose(snapshot):
        return Arrival.taken_down if watch is not None else Arrival.nothing
    if bookmark is None:
        return Arrival.first_sight
    if snapshot.fingerprint == bookmark.fingerprint:
        return Arrival.nothing
    if snapshot.brought_back is not None:
        return Arrival.rollback
    if watch is not None and watch.state is WatchState.arriving and now - watch.changed_at < SAME_ROLLOUT:
        return Arrival.same_rollout
    return Arrival.deploy


def stopped_on_purpose(snapshot: Snapshot) -> bool:
    """Nothing runs, and nothing ended by itself: a person took it down, which is not a crash."""
    lasting = [i for i in snapshot.instances if not i.one_shot]
    return bool(lasting) and all(i.state == "exited" and not i.ended_abnormally for i in lasting)


def next_name(revisions: Sequence[Revision]) -> str:
    """`r1`, `r2`, … for platforms that do not name their revisions."""
    numbers = [int(r.id[1:]) for r in revisions if r.id[:1] == "r" and r.id[1:].isdigit()]
    return f"r{max(numbers, default=0) + 1}"


def settled(watch: Watch, snapshot: Snapshot, settle: timedelta, now: datetime) -> bool:
    """Whether the rollout is finished: the platform says so, and nothing changed for `settle`."""
    return snapshot.rollout.phase.value == "complete" and now - watch.changed_at >= settle


def foreign(plan: Plan, left: Revision | None, running: Snapshot) -> str | None:
    """Whether what runs is neither what was left nor what the plan brings back: someone deployed in between.

    Returns what was found, in words, or None. Asked after a restart in the middle of a rollback.
    """
    expected = plan.draft.expected
    if running.plan == plan.id:
        return None
    if running.name is not None and running.name not in {plan.from_revision, plan.to_revision}:
        return f"revision {running.name} runs"
    for service, image in running.images.items():
        known = {expected.get(service), (left.images if left else {}).get(service)} - {None}
        if known and image not in known:
            return f"service {service} runs image {image[:19]}"
    return None
