"""From the act to the proof that it healed the service.

After a restart the platform is asked what is true: a plan is finished or abandoned, never carried out twice, and there
is never a second rollback by itself.
"""

from __future__ import annotations

from datetime import timedelta

from watchdog.engine.arrivals import foreign
from watchdog.engine.asking import verification_rules
from watchdog.engine.measuring import measure
from watchdog.engine.rolling import ledger_entry, submit
from watchdog.engine.scene import Scene
from watchdog.engine.watching import UNSEEN
from watchdog.judge.verify import begin_again, verify
from watchdog.judge.window import after_gap
from watchdog.model.base import format_duration
from watchdog.model.deploy import Revision, Snapshot
from watchdog.model.incident import Bookmark, EventKind
from watchdog.model.measurement import Measurement
from watchdog.model.rollback import ActResult, Plan, Verification
from watchdog.model.watch import Watch, WatchState
from watchdog.report import incident as tell


def act(scene: Scene, watch: Watch) -> Watch:
    """Wait for the act to end. With none under way, this process was started in the middle of one."""
    plan = _plan_of(watch)
    key = ("act", watch.id)
    if not scene.parts.jobs.pending(key):
        return _take_up_again(scene, watch, plan)
    done = scene.parts.jobs.take(key)
    if done is None:
        return watch
    error = done.exception()
    if error is None:
        result: ActResult = done.result()
    else:
        result = ActResult(ok=False, reason=f"the rollback's own code failed: {type(error).__name__}: {error}")
    return _acted(scene, watch, plan, result)


def _acted(scene: Scene, watch: Watch, plan: Plan, result: ActResult) -> Watch:
    entry = scene.parts.store.rollback(plan.id) or ledger_entry(plan, scene.now)
    scene.place.woken = True
    return scene.save(
        watch.model_copy(
            update={"state": WatchState.verifying, "verification": Verification(began_at=scene.now, acted=result)}
        ),
        tell.rollback_finished(watch, scene.now, plan, result),
        rollback=entry.model_copy(update={"finished_at": scene.now, "result": result}),
    )


def _take_up_again(scene: Scene, watch: Watch, plan: Plan) -> Watch:
    """After a restart: the platform says how far it came."""
    running = scene.place.close_up
    if running is None or scene.place.error is not None:
        return watch
    if not scene.actor.matches(scene.target, plan, running):
        return _acted(scene, watch, plan, ActResult(ok=True, reason="it was done before the watchdog was restarted"))
    left = scene.parts.store.revision(watch.target, watch.revision)
    someone = foreign(plan, left, running)
    if someone is not None:
        return _abandon(scene, watch, plan, someone)
    entry = scene.parts.store.rollback(plan.id) or ledger_entry(plan, scene.now)
    if entry.attempts > 1:
        reason = "the watchdog was killed twice in the middle of this rollback"
        return _acted(scene, watch, plan, ActResult(ok=False, reason=reason))
    watch = scene.save(
        watch,
        tell.note(watch, scene.now, "the watchdog was restarted in the middle of the rollback; finishing its plan"),
        rollback=entry.model_copy(update={"attempts": 2}),
    )
    submit(scene, watch, plan)
    return watch


def _abandon(scene: Scene, watch: Watch, plan: Plan, someone: str) -> Watch:
    reason = f"someone deployed in the middle of the rollback ({someone}); its plan is abandoned"
    ended = watch.model_copy(update={"state": WatchState.superseded, "ended_at": scene.now, "end_reason": reason})
    before = scene.parts.store.incident(watch.incident or "")
    entry = scene.parts.store.rollback(plan.id) or ledger_entry(plan, scene.now)
    result = entry.result or ActResult(ok=False, reason=reason)
    scene.place.woken = True  # the next look takes note of that deploy
    return scene.save(
        ended,
        tell.superseded(ended, scene.now, reason, None),
        incident=tell.incident_of(ended, scene.now, reason, before),
        rollback=entry.model_copy(update={"finished_at": entry.finished_at or scene.now, "result": result}),
    )


def prove(scene: Scene, watch: Watch) -> Watch:
    """Show that the rollback healed the service, on what was looked at after it."""
    plan, running = _plan_of(watch), scene.place.close_up
    verification = watch.verification or Verification(began_at=scene.now)
    watch, verification = _after_a_gap(scene, watch, verification)
    if running is None or scene.place.error is not None or running.at <= verification.began_at:
        return _wait_to_see(scene, watch, verification)
    differences = scene.actor.matches(scene.target, plan, running)
    if differences and not verification.restored:
        someone = foreign(plan, scene.parts.store.revision(watch.target, watch.revision), running)
        if someone is not None:
            return _abandon(scene, watch, plan, someone)
    bookmark, made = None, _made(scene, watch, plan, running)
    if not differences and not verification.restored:
        verification = verification.model_copy(update={"restored": True})
        bookmark = _bookmark(scene, made.id if made else plan.to_revision, running)
    rules = verification_rules(scene.target, watch)
    judged = measure(scene, watch, rules, watch.verify_progress, "verification")
    progress, measurements = judged.progress, judged.measurements
    proof = verify(verification, differences, rules, progress, scene.target.rollback, scene.now)
    watch = watch.model_copy(update={"verify_progress": progress, "verification": proof.verification})
    acted = verification.acted
    if differences and acted is not None and not acted.ok:
        reason = f"{acted.reason}; {'; '.join(differences)}"
        return _end(scene, watch, EventKind.failed, reason, measurements, made=made)
    if proof.state == "recovered":
        return _end(scene, watch, EventKind.recovered, proof.reason, measurements, bookmark, made)
    if proof.state == "failed":
        return _end(scene, watch, EventKind.failed, proof.reason, measurements, bookmark, made)
    revisions = [made] if made and bookmark else []
    return scene.save(watch, measurements=measurements, bookmark=bookmark, revisions=revisions)


def _made(scene: Scene, watch: Watch, plan: Plan, running: Snapshot) -> Revision | None:
    """Where the platform numbers a rollback as a revision of its own: the ledger's entry for it; else None."""
    if running.plan != plan.id or running.name is None or running.name in {plan.to_revision, watch.revision}:
        return None
    known = scene.parts.store.revision(watch.target, running.name)
    if known is not None and known.fingerprint == running.fingerprint:
        return known
    return Revision(
        target=watch.target,
        id=running.name,
        fingerprint=running.fingerprint,
        seen_at=scene.now,
        images=running.images,
        same_as=plan.to_revision,
    )


def _good_again(scene: Scene, made: Revision) -> Revision:
    """A proved rollback to a known-good revision is known good as well."""
    source = scene.parts.store.revision(made.target, made.same_as or "")
    if source is None or not source.known_good:
        return made
    return made.model_copy(update={"known_good": True, "known_good_at": scene.now, "known_good_because": "restored"})


def _wait_to_see(scene: Scene, watch: Watch, verification: Verification) -> Watch:
    """The platform must be seen again before anything is proved; not for ever."""
    policy = scene.target.rollback
    if scene.now - verification.began_at > policy.verify_timeout + policy.verify_for:
        why = scene.place.error or "the platform did not answer"
        return _end(scene, watch, EventKind.failed, f"not proven: {why}", [])
    return watch


def _after_a_gap(scene: Scene, watch: Watch, verification: Verification) -> tuple[Watch, Verification]:
    gap = scene.now - watch.seen_at
    if timedelta(0) <= gap <= UNSEEN:
        return watch, verification
    verification = begin_again(verification, scene.now)
    progress = {name: after_gap(p) for name, p in watch.verify_progress.items()}
    watch = watch.model_copy(update={"verify_progress": progress, "verification": verification})
    message = f"{format_duration(abs(gap))} without a look; the proof begins again"
    return scene.save(watch, tell.note(watch, scene.now, message)), verification


def _bookmark(scene: Scene, revision: str, running: Snapshot) -> Bookmark:
    return Bookmark(target=scene.target.name, revision=revision, fingerprint=running.fingerprint, seen_at=scene.now)


def _end(
    scene: Scene,
    watch: Watch,
    kind: EventKind,
    reason: str,
    measurements: list[Measurement],
    bookmark: Bookmark | None = None,
    made: Revision | None = None,
) -> Watch:
    """Recovered, or failed: then what runs is taken note of, so that the remains do not look like a deploy. `made` is
    the platform's own revision of the rollback."""
    state = WatchState.recovered if kind is EventKind.recovered else WatchState.failed
    running = scene.place.snapshot
    restored = watch.verification is not None and watch.verification.restored
    if state is WatchState.failed and not restored and running is not None and running.fingerprint:
        bookmark = _bookmark(scene, made.id if made else watch.revision, running)
    if made is not None and state is WatchState.recovered:
        made = _good_again(scene, made)
    watch = watch.model_copy(update={"state": state, "ended_at": scene.now, "end_reason": reason})
    before = scene.parts.store.incident(watch.incident or "")
    headline = before.headline if before else watch.revision
    return scene.save(
        watch,
        tell.ended(kind, watch, scene.now, reason, watch.condemned_at),
        measurements=measurements,
        incident=tell.incident_of(watch, scene.now, headline, before),
        bookmark=bookmark,
        revisions=[made] if made else [],
    )


def _plan_of(watch: Watch) -> Plan:
    if watch.plan is None:
        raise ValueError(f"watch {watch.id} is {watch.state} and has no plan: the state was changed by hand")
    return watch.plan
