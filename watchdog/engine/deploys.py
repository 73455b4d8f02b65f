"""Takes note of what came: first sight, deploys, rollouts that go on, targets that are taken down.

Each is one stored step. Recording a revision asks the platform's programs, so it is a job of its own.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from watchdog.engine.arrivals import Arrival, arrival, next_name
from watchdog.engine.scene import Scene, new_watch_id
from watchdog.errors import WatchdogError
from watchdog.model.deploy import Phase, Recorded, Revision, Snapshot
from watchdog.model.incident import Bookmark, Incident
from watchdog.model.watch import Watch, WatchState
from watchdog.report import incident as tell
from watchdog.store.base import Step

log = logging.getLogger(__name__)

RECORD_AGAIN = timedelta(seconds=30)
LATELY = timedelta(hours=1)
"""How long before a deploy a restart of the old version still says that restarts are no news."""

GUARDING = (WatchState.arriving, WatchState.watching, WatchState.held, WatchState.condemned)
"""States in which a newer deploy takes over. After that the rollback is under way, and is seen through."""


def take_note(scene: Scene, watches: list[Watch]) -> list[Watch]:
    """Compare the new snapshot with what was known, and store what follows. Returns the watches to go on with."""
    place, snapshot = scene.place, scene.place.snapshot
    if snapshot is None or place.error is not None or _rolling_back(watches):
        return watches
    current = next((w for w in watches if w.state in GUARDING), None)
    came = arrival(snapshot, place.bookmark, current, scene.now)
    if came is Arrival.first_sight:
        _first_sight(scene, snapshot)
    elif came is Arrival.same_rollout and current is not None:
        return [_amend(scene, current, snapshot) if w is current else w for w in watches]
    elif came is Arrival.taken_down and current is not None:
        reason = "the target was taken down by someone"
        ended = _end(current, scene, reason)
        incident = _closed(scene, ended, reason) if ended.incident else None
        scene.save(ended, tell.superseded(ended, scene.now, reason, None), incident=incident)
        return [w for w in watches if w is not current]
    elif came is Arrival.rollback:
        return _brought_back(scene, watches, snapshot)
    elif came is Arrival.deploy:
        return [_open(scene, watches, snapshot)]
    if snapshot.whole:
        place.ends = (snapshot.fingerprint, tuple(e.at for e in snapshot.exits))
    return watches


def _rolling_back(watches: list[Watch]) -> bool:
    """Whether a rollback is under way that has not been seen to be as planned yet: what changes after that is
    somebody's deploy."""
    acting = any(w.state is WatchState.rolling_back for w in watches)
    proving = [w.verification for w in watches if w.state is WatchState.verifying]
    return acting or any(proof is None or not proof.restored for proof in proving)


def _revision(scene: Scene, snapshot: Snapshot) -> Revision:
    """The ledger's entry for what runs: the known one, or a new one."""
    target, store = scene.target.name, scene.parts.store
    if snapshot.name is not None:
        known = store.revision(target, snapshot.name)
        known = known if known is None or known.fingerprint == snapshot.fingerprint else None
    else:
        known = store.revision_by_fingerprint(target, snapshot.fingerprint)
    if known is not None:
        return known
    return Revision(
        target=target,
        id=snapshot.name or next_name(store.revisions(target, limit=10_000)),
        fingerprint=snapshot.fingerprint,
        seen_at=scene.now,
        summary=snapshot.summary,
        images=snapshot.images,
        exact=not snapshot.whole,  # what may be glanced at is kept by the platform itself
        note="not recorded yet" if snapshot.whole else "",
    )


def _bookmark(scene: Scene, revision: Revision, snapshot: Snapshot) -> Bookmark:
    return Bookmark(target=scene.target.name, revision=revision.id, fingerprint=snapshot.fingerprint, seen_at=scene.now)


def _first_sight(scene: Scene, snapshot: Snapshot) -> None:
    accept = scene.target.rollback.first_known_good == "running"
    place = scene.place
    place.first_looked_at = place.first_looked_at or scene.now
    if accept and not _is_well(snapshot) and scene.now - place.first_looked_at < scene.target.watch.rollout_timeout:
        return  # nothing is called good while it is still starting; a crash loop is not what anyone meant
    revision = _revision(scene, snapshot)
    if accept and _is_well(snapshot):
        revision = revision.model_copy(
            update={"known_good": True, "known_good_at": scene.now, "known_good_because": "running"}
        )
    scene.write(Step(revisions=(revision,), bookmark=_bookmark(scene, revision, snapshot)))
    log.info("first sight of %s: %s runs", scene.target.name, revision.id)


def _is_well(snapshot: Snapshot) -> bool:
    return snapshot.rollout.phase is Phase.complete and not snapshot.exits


def _restarts_lately(scene: Scene, before: Bookmark | None) -> int:
    """Of what ran before, as far as this process saw it."""
    fingerprint, ends = scene.place.ends
    return sum(at > scene.now - LATELY for at in ends) if before and before.fingerprint == fingerprint else 0


def _open(scene: Scene, watches: list[Watch], snapshot: Snapshot) -> Watch:
    """A deploy: a watch of its own, and whatever was watched before is superseded."""
    revision = _revision(scene, snapshot)
    before = scene.place.bookmark
    watch = Watch(
        id=new_watch_id(),
        target=scene.target.name,
        environment=scene.target.environment,
        platform=scene.target.spec.kind,
        revision=revision.id,
        fingerprint=snapshot.fingerprint,
        previous=before.revision if before else None,
        mode=scene.target.mode,
        budget=scene.target.watch.false_rollback_budget,
        restarts_before=_restarts_lately(scene, before),
        opened_at=scene.now,
        changed_at=scene.now,
        seen_at=scene.now,
    )
    reason = f"{revision.id} was deployed"
    ended = [_end(w, scene, reason) for w in watches]
    troubled = next((w for w in ended if w.incident), None)
    scene.place.judged.clear()
    scene.place.held.clear()
    scene.place.recorded = ""
    scene.place.woken = scene.place.woken or not snapshot.whole  # a watch needs more than a glance
    return scene.save(
        watch,
        tell.deploy_seen(watch, scene.now, revision.summary),
        *(tell.superseded(w, scene.now, reason, revision.id) for w in ended),
        also=ended,
        revisions=[revision],
        bookmark=_bookmark(scene, revision, snapshot),
        incident=_closed(scene, troubled, reason) if troubled else None,
    )


def _brought_back(scene: Scene, watches: list[Watch], snapshot: Snapshot) -> list[Watch]:
    """Somebody rolled back by hand: what was watched is superseded, and what came back is not judged against it."""
    source = scene.parts.store.revision(scene.target.name, snapshot.brought_back or "")
    revision = _revision(scene, snapshot).model_copy(update={"same_as": snapshot.brought_back})
    left = scene.place.bookmark.revision if scene.place.bookmark else None
    if source is not None and source.known_good and snapshot.rollout.phase is Phase.complete:
        good = {"known_good": True, "known_good_at": scene.now, "known_good_because": "restored"}
        revision = revision.model_copy(update=good)
    reason = f"someone rolled back to {snapshot.brought_back}"
    ended = [_end(w, scene, reason) for w in watches]
    events = [tell.superseded(w, scene.now, reason, revision.id) for w in ended]
    incidents = [_closed(scene, w, reason) for w in ended if w.incident]
    events.append(tell.rollback_seen(scene.target, revision, left, scene.now))
    scene.place.recorded = ""
    scene.write(
        Step(
            watches=tuple(w.model_copy(update={"version": w.version + 1}) for w in ended),
            revisions=(revision,),
            bookmark=_bookmark(scene, revision, snapshot),
            events=tuple(events),
            incidents=tuple(incidents),
            notices=tuple(n for e in events for n in scene.parts.notices(e)),
        )
    )
    return []


def _closed(scene: Scene, watch: Watch, reason: str) -> Incident:
    before = scene.parts.store.incident(watch.incident or "")
    return tell.incident_of(watch, scene.now, f"{before.headline if before else watch.revision} ({reason})", before)


def _amend(scene: Scene, watch: Watch, snapshot: Snapshot) -> Watch:
    """The rollout goes on: the same deploy, another fingerprint."""
    known = _revision(scene, snapshot)
    old = scene.parts.store.revision(scene.target.name, watch.revision)
    is_new = known.note == "not recorded yet" and snapshot.name is None
    if is_new and old is not None and not old.known_good and old.seen_at >= watch.opened_at:
        revision = old.model_copy(
            update={
                "fingerprint": snapshot.fingerprint,
                "images": snapshot.images,
                "summary": snapshot.summary,
                "exact": False,
                "note": "not recorded yet",
            }
        )
    else:
        revision = known
    scene.place.judged.clear()
    scene.place.held.clear()
    scene.place.recorded = ""
    amended = watch.model_copy(
        update={
            "revision": revision.id,
            "fingerprint": snapshot.fingerprint,
            "changed_at": scene.now,
            "progress": {},
        }
    )
    return scene.save(amended, revisions=[revision], bookmark=_bookmark(scene, revision, snapshot))


def _end(watch: Watch, scene: Scene, reason: str) -> Watch:
    return watch.model_copy(
        update={"state": WatchState.superseded, "ended_at": scene.now, "end_reason": reason, "seen_at": scene.now}
    )


def record(scene: Scene) -> None:
    """Have the platform record what runs, once for each fingerprint and again when its rollout settled."""
    place, jobs, snapshot = scene.place, scene.parts.jobs, scene.place.close_up
    if snapshot is None or place.bookmark is None or place.bookmark.fingerprint != snapshot.fingerprint:
        return
    mark = f"{snapshot.fingerprint} {snapshot.rollout.phase.value}"
    key = ("record", scene.target.name)
    revision_id = place.bookmark.revision
    again = place.record_again_at is not None and scene.now >= place.record_again_at
    if (place.recorded != mark or again) and not jobs.pending(key):
        place.recorded, place.record_again_at = mark, None
        store, target, platform = scene.parts.store, scene.target, scene.platform
        revision = store.revision(target.name, revision_id)
        if revision is None or revision.fingerprint != snapshot.fingerprint or (revision.recorded and revision.exact):
            return
        watch = next((w for w in store.watches(target.name, limit=5) if w.revision == revision_id), None)
        before = store.revision(target.name, watch.previous) if watch and watch.previous else None
        jobs.submit(key, lambda: (snapshot.fingerprint, platform.record(target, snapshot, before)))
    done = jobs.take(key)
    if done is None:
        return
    error = done.exception()
    if isinstance(error, WatchdogError):
        log.warning("cannot record %s of %s: %s", revision_id, scene.target.name, error)
        place.record_again_at = scene.now + RECORD_AGAIN
        return
    fingerprint, recorded = done.result()
    _store_recording(scene, fingerprint, recorded)


def _store_recording(scene: Scene, fingerprint: str, recorded: Recorded) -> None:
    store, name = scene.parts.store, scene.target.name
    revision = store.revision_by_fingerprint(name, fingerprint)
    if revision is None:
        return
    updated = revision.model_copy(
        update={
            "summary": recorded.summary or revision.summary,
            "images": recorded.images or revision.images,
            "exact": recorded.exact,
            "note": recorded.note,
            "recorded": recorded.recorded,
        }
    )
    scene.write(Step(revisions=(updated,)))
    preserve(scene)


def preserve(scene: Scene) -> None:
    """Keep what a rollback to the known-good revisions, and to what runs now, would need."""
    jobs, target, store, actor = scene.parts.jobs, scene.target, scene.parts.store, scene.actor
    key = ("preserve", target.name)
    done = jobs.take(key)
    if done is not None and done.exception() is not None:
        log.warning("cannot keep the images of %s's revisions: %s", target.name, done.exception())
    if jobs.pending(key):
        return
    revisions = store.revisions(target.name, limit=200)
    good = [r for r in revisions if r.known_good][: target.rollback.keep_revisions]
    running = scene.place.bookmark.revision if scene.place.bookmark else None
    keep = [r for r in revisions if r in good or r.id == running]
    jobs.submit(key, lambda: actor.preserve(target, keep))
