"""The last questions before anything is changed. Each "no" is an objection with a name, never a bare False.

Pure: the facts go in, the objections come out. A person's own `watchdog rollback` is asked only what a person cannot
override: whether there is something to go back to, and whether that still is what they meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchdog.model.base import Value, format_duration
from watchdog.model.deploy import Revision
from watchdog.model.incident import Pause
from watchdog.model.rollback import Objection, Objections, Rollback
from watchdog.model.rule import Mode
from watchdog.model.target import RollbackPolicy
from watchdog.model.watch import Watch

DAY = timedelta(hours=24)


class Facts(Value):
    """What the guard is told."""

    watch: Watch
    policy: RollbackPolicy
    pause: Pause | None
    """Also one that is over: the guard compares it with `now`."""
    rollbacks: tuple[Rollback, ...]
    """Of this target, in the last 24 hours or within the cooldown, whichever is longer; newest first."""
    candidate: Revision | None
    running_fingerprint: str
    owner: str | None
    """Who holds the claim on the target."""
    me: str
    cannot_plan: str | None = None
    """The actor's reason why this rollback can't be done at all."""
    drafted: tuple[Objection, ...] = ()
    """The draft's own, by the target's policy."""
    reversible: bool = False
    """Whether every rule that tripped is marked as undone by a rollback, migration or not."""


def safe_revision(revisions: Sequence[Revision], watch: Watch, kept: Sequence[str] = ()) -> Revision | None:
    """The revision to go back to: the wanted one of a manual rollback, else the newest known good one.

    `revisions` are newest first; `kept` are those the platform still has, where it keeps any. Never the one that is
    watched, never one that was itself rolled back from.
    """
    if watch.requested_revision is not None:
        return next((r for r in revisions if r.id == watch.requested_revision), None)
    others = [r for r in revisions if r.id != watch.revision and r.fingerprint != watch.fingerprint]
    good = [r for r in others if r.known_good and not r.condemned]
    good = [r for r in good if r.id in kept] or good  # with none kept, the draft says what is lost
    return max(good, key=lambda r: r.known_good_at or r.seen_at, default=None)


def objections(facts: Facts, now: datetime) -> tuple[Objection, ...]:
    """Every reason not to roll back now; empty: go on. The most telling one comes first."""
    found = [*_ownership(facts), *_state_of_the_world(facts)]
    if facts.watch.origin == "deploy":
        found += [*_word_of_people(facts, now), *_budget(facts, now), *_policies(facts)]
    return tuple(found)


def _no(name: Objections, reason: str) -> Objection:
    return Objection(name=name, reason=reason)


def _ownership(facts: Facts) -> list[Objection]:
    if facts.owner == facts.me:
        return []
    return [_no(Objections.another_owner, f"another watchdog ({facts.owner or 'unknown'}) owns this target now")]


def _state_of_the_world(facts: Facts) -> list[Objection]:
    found = []
    watch = facts.watch
    done = [r for r in facts.rollbacks if r.watch == watch.id]
    if done:
        found.append(
            _no(
                Objections.already_rolled_back,
                f"this watch already rolled back to {done[0].to_revision} at {done[0].started_at:%H:%M:%S} UTC; "
                "there is no second try by itself",
            )
        )
    if facts.running_fingerprint != watch.fingerprint:
        found.append(
            _no(Objections.newer_deploy, f"{watch.revision} is not what runs any more: a newer deploy is arriving")
        )
    if facts.candidate is None:
        wanted = watch.requested_revision
        reason = (
            f"revision {wanted} is not known; `watchdog history {watch.target}` lists those that are"
            if wanted
            else "no other revision is known to be good; approve one, or name one with "
            f"`watchdog rollback {watch.target} --to REVISION`"
        )
        found.append(_no(Objections.no_safe_revision, reason))
    elif facts.candidate.id == watch.revision or facts.candidate.fingerprint == watch.fingerprint:
        found.append(_no(Objections.no_safe_revision, f"revision {facts.candidate.id} is what runs already"))
    if facts.cannot_plan:
        found.append(_no(Objections.cannot_plan, facts.cannot_plan))
    return found


def _word_of_people(facts: Facts, now: datetime) -> list[Objection]:
    found = []
    pause = facts.pause
    if pause is not None and (pause.until is None or now < pause.until):
        until = f"until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else "until resumed"
        found.append(_no(Objections.paused, f"{pause.by} paused this target {until}: {pause.reason}"))
    if facts.watch.mode is Mode.dry_run:
        found.append(_no(Objections.dry_run, "this target is in dry run: everything but the act"))
    return found


def _policies(facts: Facts) -> list[Objection]:
    """What only a person may override. A rule that is marked reversible has said so for migrations."""
    return [o for o in facts.drafted if not (facts.reversible and o.name is Objections.migration_ran)]


def _budget(facts: Facts, now: datetime) -> list[Objection]:
    found = []
    automatic = [r for r in facts.rollbacks if r.automatic and r.watch != facts.watch.id]
    policy = facts.policy
    if automatic and now - automatic[0].started_at < policy.cooldown:
        ago = format_duration(now - automatic[0].started_at)
        found.append(
            _no(Objections.cooldown, f"the last rollback began {ago} ago, less than {format_duration(policy.cooldown)}")
        )
    today = [r for r in automatic if now - r.started_at < DAY]
    if len(today) >= policy.max_per_day:
        found.append(
            _no(Objections.max_per_day, f"{len(today)} rollbacks in 24 hours, max_per_day is {policy.max_per_day}")
        )
    return found
