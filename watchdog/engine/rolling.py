"""From a condemned deploy to the beginning of its rollback: evidence, guard, plan.

The plan is stored before anything is touched. Whatever the guard answers is stored and told.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from watchdog.act.evidence import bounded
from watchdog.act.guard import DAY, Facts, objections, safe_revision
from watchdog.engine.scene import Prepared, Scene
from watchdog.engine.watching import hold
from watchdog.errors import Refused, Unavailable
from watchdog.model.deploy import EvidenceItem
from watchdog.model.incident import Event
from watchdog.model.rollback import Draft, Objection, Objections, Plan, Rollback
from watchdog.model.watch import Watch, WatchState
from watchdog.report import incident as tell

STARTING = timedelta(seconds=15)
"""How long a rollback waits for an `up` that still has containers to start: never beside a running upgrade."""
HISTORY = 256
"""How many revisions a platform is asked to name; Helm keeps ten by default."""
PREPARING = timedelta(minutes=5)
"""How long the platform may be away before a condemned deploy is given to people."""


def prepare(scene: Scene, watch: Watch) -> Watch:
    """Keep the evidence, work the rollback out, ask the guard; then begin, or say why not."""
    jobs, key = scene.parts.jobs, ("prepare", watch.id)
    if not jobs.pending(key):
        if _still_starting(scene, watch):
            return watch
        jobs.submit(key, lambda: work_out(scene, watch))
    done = jobs.take(key)
    if done is None:
        return watch
    error = done.exception()
    if isinstance(error, Unavailable | Refused):
        return _cannot_prepare(scene, watch, str(error))
    prepared: Prepared = done.result()
    found = objections(facts_for(scene, watch, prepared), scene.now)
    if not found and prepared.candidate is not None and prepared.draft is not None:
        return _begin(scene, watch, prepared, prepared.draft, prepared.candidate.id)
    return _refrain(scene, watch, prepared, found)


def _still_starting(scene: Scene, watch: Watch) -> bool:
    """Never beside a running upgrade: one that the platform knows of ends, or is given up by the platform."""
    snapshot = scene.place.snapshot
    if snapshot is None:
        return False
    if snapshot.busy:
        return True
    waits = any(i.state == "created" for i in snapshot.instances)
    return waits and watch.origin == "deploy" and scene.now - watch.opened_at < STARTING


def work_out(scene: Scene, watch: Watch) -> Prepared:
    """Reads only: what runs, what was, what would be done, and the evidence."""
    target, platform = scene.target, scene.platform
    running = platform.snapshot(target, scene.now)
    ledger = scene.parts.store.revisions(target.name, limit=1_000)
    candidate = safe_revision(ledger, watch, kept=platform.history(target, HISTORY))
    draft, cannot = None, None
    if candidate is not None:
        try:
            draft = scene.actor.draft(target, candidate, running)
        except Refused as error:
            cannot = str(error)
    try:
        evidence = bounded(platform.evidence(target, running))
    except (Unavailable, Refused) as error:
        evidence = (EvidenceItem(kind="note", name="evidence", text=f"could not be saved: {error}"),)
    return Prepared(running=running, candidate=candidate, draft=draft, cannot=cannot, evidence=evidence)


def facts_for(scene: Scene, watch: Watch, prepared: Prepared) -> Facts:
    """What the guard is told."""
    store, name = scene.parts.store, watch.target
    policy = scene.target.rollback
    return Facts(
        watch=watch,
        policy=policy,
        pause=store.pause(name),
        rollbacks=tuple(store.rollbacks(name, since=scene.now - max(policy.cooldown, DAY))),
        candidate=prepared.candidate,
        running_fingerprint=prepared.running.fingerprint,
        owner=store.owner(name, scene.now),
        me=scene.parts.owner,
        cannot_plan=prepared.cannot,
        drafted=prepared.draft.objections if prepared.draft else (),
        reversible=_reversible(scene, watch),
    )


def _reversible(scene: Scene, watch: Watch) -> bool:
    """Whether every rule that tripped is marked so."""
    rules = [scene.target.rule(name) for name in (watch.decision.rules if watch.decision else ())]
    return bool(rules) and all(rule is not None and rule.reversible for rule in rules)


def _cannot_prepare(scene: Scene, watch: Watch, reason: str) -> Watch:
    if scene.now - (watch.condemned_at or watch.opened_at) < PREPARING:
        return watch
    objection = Objection(name=Objections.cannot_plan, reason=reason)
    return _blocked(scene, watch, (objection,), ())


def _refrain(scene: Scene, watch: Watch, prepared: Prepared, found: tuple[Objection, ...]) -> Watch:
    """The guard said no: hold, report a dry run, let the newer deploy take over, or block."""
    names = {o.name for o in found}
    waited = scene.now - (watch.condemned_at or watch.opened_at)
    if Objections.another_owner in names:
        scene.place.claimed_until = None  # ask again: either it comes back to us, or the other one goes on
        return watch
    if Objections.newer_deploy in names and watch.origin == "deploy" and waited < PREPARING:
        scene.place.woken = True  # the next look finds the newer deploy, and its watch supersedes this one
        return watch
    if names == {Objections.dry_run}:
        to = prepared.candidate.id if prepared.candidate else None
        event = tell.would_roll_back(watch, scene.now, to, prepared.draft)
        return _blocked(scene, watch, found, prepared.evidence, event)
    if found[0].name is Objections.no_safe_revision and watch.origin == "deploy":
        return hold(scene, watch.model_copy(update={"objection": found[0]}), found[0].reason, [])
    if all(o.hold for o in found):
        held = watch.model_copy(update={"objection": found[0]})
        return hold(scene, held, "; ".join(f"{o.name}: {o.reason}" for o in found), [], evidence=prepared.evidence)
    return _blocked(scene, watch, found, prepared.evidence)


def _blocked(
    scene: Scene,
    watch: Watch,
    found: tuple[Objection, ...],
    evidence: tuple[EvidenceItem, ...],
    event: Event | None = None,
) -> Watch:
    watch = watch.model_copy(
        update={
            "state": WatchState.blocked,
            "objection": found[0],
            "ended_at": scene.now,
            "end_reason": f"{found[0].name}: {found[0].reason}",
        }
    )
    before = scene.parts.store.incident(watch.incident or "")
    headline = f"{before.headline if before else watch.revision} (not rolled back: {found[0].name})"
    return scene.save(
        watch,
        event or tell.blocked(watch, scene.now, found),
        evidence=evidence,
        incident=tell.incident_of(watch, scene.now, headline, before),
    )


def _begin(scene: Scene, watch: Watch, prepared: Prepared, draft: Draft, to: str) -> Watch:
    """Store the plan and the evidence; then store that it begins; then begin."""
    plan = Plan(
        id=f"rb-{uuid4().hex[:12]}",
        target=watch.target,
        watch=watch.id,
        from_revision=watch.revision,
        from_fingerprint=watch.fingerprint,
        to_revision=to,
        draft=draft,
        made_at=scene.now,
        automatic=watch.origin == "deploy",
        by=watch.requested_by or "watchdog",
    )
    watch = scene.save(
        watch.model_copy(update={"plan": plan}),
        tell.note(watch, scene.now, f"evidence saved ({len(prepared.evidence)} items); the plan is to restore {to}"),
        evidence=prepared.evidence,
    )
    left = scene.parts.store.revision(watch.target, watch.revision)
    watch = scene.save(
        watch.model_copy(update={"state": WatchState.rolling_back}),
        tell.rollback_started(watch, scene.now, plan),
        rollback=ledger_entry(plan, scene.now),
        revisions=[left.model_copy(update={"condemned": True, "known_good": False})] if left else [],
        incident=tell.incident_of(
            watch.model_copy(update={"state": WatchState.rolling_back}),
            scene.now,
            f"{watch.target} {watch.revision}: {watch.decision.reason if watch.decision else ''}",
            scene.parts.store.incident(watch.incident or ""),
        ),
    )
    submit(scene, watch, plan)
    return watch


def ledger_entry(plan: Plan, now: datetime) -> Rollback:
    """The ledger's line for a plan that begins now."""
    return Rollback(
        id=plan.id,
        target=plan.target,
        watch=plan.watch,
        from_revision=plan.from_revision,
        to_revision=plan.to_revision,
        automatic=plan.automatic,
        started_at=now,
    )


def submit(scene: Scene, watch: Watch, plan: Plan) -> None:
    """Begin the act. Only ever called after its plan and its ledger entry are stored."""
    to = scene.parts.store.revision(watch.target, plan.to_revision)
    if to is None:
        raise ValueError(f"revision {plan.to_revision} of {watch.target} is in a plan, and not in the store")
    actor, target = scene.actor, scene.target
    scene.parts.jobs.submit(("act", watch.id), lambda: actor.execute(target, plan, to))
