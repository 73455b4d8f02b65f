"""From what was read of two revisions to a draft: what the rollback does, what it can't do, and who objects.

Pure. Each objection's words are among the warnings too: a person who rolls back by hand reads them there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchdog.act.helm.changes import Comparison, Key, Object, crd_files, crd_warnings
from watchdog.act.helm.data import at_risk, data_questions, left_behind
from watchdog.act.helm.hooks import Parse, hook_objects, hooks_to_run, migrations
from watchdog.act.helm.immutable import advice, refused, suspects
from watchdog.act.helm.owners import (
    Owner,
    how_to_resume,
    how_to_suspend,
    instance_names,
    is_idle,
    managed_by,
    owner_questions,
)
from watchdog.model.rollback import Objection, Objections
from watchdog.model.target import RollbackPolicy

SUSPENDED = "suspended"
"""What a draft expects of an owner that is suspended first."""

APPLIED = frozenset({"deployed", "superseded"})
"""Statuses of a revision whose manifest was applied in full."""


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was read for one draft. Bodies are Helm's release objects, decoded."""

    now: Mapping[str, Any]
    to: Mapping[str, Any]
    between: Sequence[Mapping[str, Any]]
    """The revisions after `to` and before `now`, newest first."""
    comparison: Comparison
    live: Mapping[Key, Object | None]
    """What could be read; None: it is not there."""
    not_served: Sequence[str] = ()
    """Kinds of either manifest that the cluster does not know any more."""
    owners: Sequence[tuple[Owner, Object | None]] = ()
    """GitOps owners, each with its own object where that could be read."""
    without_right: Sequence[str] = ()
    """What may not be done, a line each, with the rule that would grant it."""
    unread: str = ""
    """Why some of it could not be read."""


@dataclass(frozen=True, slots=True)
class Says:
    """What comes of it."""

    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    objections: tuple[Objection, ...]
    changes: tuple[str, ...]
    suspend: tuple[Owner, ...]


def questions(comparison: Comparison) -> list[Key]:
    """The live objects worth reading before a draft, each once."""
    asked = [suspect.key for suspect in suspects(comparison)]
    asked += data_questions(comparison) + owner_questions(comparison.now)
    return list(dict.fromkeys(asked))


def application_names(found: Comparison, live: Mapping[Key, Object | None]) -> set[str]:
    """Names an Argo CD Application of this release may have."""
    return instance_names([*found.now.values(), *(thing for thing in live.values() if thing is not None)])


def say(found: Found, policy: RollbackPolicy, parse: Parse) -> Says:
    """The draft's words."""
    refusals, warnings = _immutable(found)
    refusals = [*_unknown_kinds(found), *refusals, *found.without_right]
    names = str(found.now.get("version")), str(found.to.get("version"))
    warnings += crd_warnings(crd_files(found.now), crd_files(found.to), names)
    warnings += left_behind(found.comparison, found.live)
    made = hook_objects(found.now, found.to)
    if made:
        warnings.append(f"Helm does not bring back what hooks made: {', '.join(made)}")
    objections, more = [*_data(found), *_migration(found, policy, parse)], list[str]()
    if policy.on_migration == "roll_back":
        more = [o.reason for o in objections if o.name is Objections.migration_ran]
        objections = [o for o in objections if o.name is not Objections.migration_ran]
    gitops, told, suspend = _gitops(found, policy)
    objections += gitops
    return Says(
        refusals=tuple(refusals),
        warnings=(*(o.reason for o in objections), *more, *told, *warnings, *([found.unread] if found.unread else [])),
        objections=tuple(objections),
        changes=(
            *(f"suspends {owner}" for owner in suspend),
            *found.comparison.lines,
            *hooks_to_run(found.to),
        ),
        suspend=tuple(suspend),
    )


def _unknown_kinds(found: Found) -> list[str]:
    if not found.not_served:
        return []
    kinds = ", ".join(found.not_served)
    return [f"the cluster does not know {kinds} (any more), and Helm builds every object of both revisions first"]


def _immutable(found: Found) -> tuple[list[str], list[str]]:
    refusals, warnings = [], []
    certain = (found.now.get("info") or {}).get("status") in APPLIED
    for suspect in suspects(found.comparison):
        key, known = suspect.key, suspect.key in found.live
        live = found.live.get(key)
        if known and (live is None or not refused(suspect, live)):
            continue
        kept_only = key not in found.comparison.now
        if not known and kept_only:
            continue  # most likely it is simply not there
        what = f"{key}: {suspect.field} differs between the two revisions and can't be changed"
        if known or certain:
            refusals.append(f"{what}, so that Helm's rollback would be refused half-way; {advice(suspect)}")
        else:
            warnings.append(f"{what}; if the failed upgrade did change it, the rollback will be refused")
    return refusals, warnings


def _data(found: Found) -> list[Objection]:
    return [
        Objection(name=Objections.data_at_risk, reason=words, hold=True)
        for words in at_risk(found.comparison, found.live)
    ]


def _migration(found: Found, policy: RollbackPolicy, parse: Parse) -> list[Objection]:
    ran = migrations([found.now, *found.between], found.to, parse)
    if not ran:
        return []
    hooks = ", ".join(f"{hook.name} ({hook.events} of revision {hook.revision}: {hook.phase})" for hook in ran)
    reason = (
        f"a rollback does not undo what ran since revision {found.to.get('version')}: {hooks}. If the older version "
        'works with that, roll back by hand, or annotate the hook deploy-watchdog/reversible: "true"'
    )
    return [Objection(name=Objections.migration_ran, reason=reason, hold=policy.on_migration == "hold")]


def _gitops(found: Found, policy: RollbackPolicy) -> tuple[list[Objection], list[str], list[Owner]]:
    objections, warnings, suspend = [], [], []
    for owner, thing in found.owners:
        idle = None if thing is None else is_idle(owner, thing)
        what = f"{owner.tool} owns this release ({owner}; {owner.marked})"
        if idle:
            warnings.append(f"{what}, but {idle}: its next sync puts the newer version back; revert it in git too")
            continue
        parent = None if thing is None else managed_by(owner, thing)
        if policy.gitops == "suspend" and thing is not None and parent is None:
            suspend.append(owner)
            resume = how_to_resume(owner, thing)
            warnings.append(f"{what} and is suspended first; revert the change in git, then resume it: {resume}")
            continue
        why = ""
        if policy.gitops == "suspend":
            why = f"; it can't be suspended: {f'{parent} would undo that' if parent else 'it could not be read'}"
        reason = (
            f"{what} and would put the newer version back at once{why}. Revert the change in git; or "
            f"{how_to_suspend(owner)} and then roll back by hand"
        )
        objections.append(Objection(name=Objections.gitops_owner, reason=reason))
    return objections, warnings, suspend
