"""What people may do: roll back, approve, pause, resume. Each is one stored step; the engine does the rest.

The same code serves the command line and the HTTP API, with and without a running daemon.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from watchdog.act.guard import objections
from watchdog.clock import Clock
from watchdog.engine.rolling import facts_for, work_out
from watchdog.engine.scene import Scene, new_watch_id
from watchdog.errors import Refused, UnknownName
from watchdog.model.base import Value
from watchdog.model.deploy import Revision
from watchdog.model.incident import Event, EventKind, Incident, Notice, Pause
from watchdog.model.rollback import Draft, Objection
from watchdog.model.rule import Mode
from watchdog.model.target import Target
from watchdog.model.watch import Decision, DecisionKind, Watch, WatchState
from watchdog.report import incident as tell
from watchdog.roster import Roster
from watchdog.store.base import Step, Store

UNDER_WAY = (WatchState.rolling_back, WatchState.verifying)


class Preview(Value):
    """What a rollback would do now, and what the guard would say. Nothing was changed."""

    target: str
    from_revision: str
    to_revision: str | None
    draft: Draft | None
    objections: tuple[Objection, ...]


class Actions:
    """People's actions on the targets of one config."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        notices: Callable[[Event], tuple[Notice, ...]],
        clock: Clock,
        scene: Callable[[str], Scene],
    ) -> None:
        self._store = store
        self._roster = roster
        self._notices = notices
        self._clock = clock
        self._scene = scene

    def target(self, name: str) -> Target:
        """The target of that name. Raises UnknownName with those that exist."""
        if name not in self._roster:
            raise UnknownName(f"no target {name!r} in this config; it has: {self._roster.names()}")
        return self._roster[name]

    def rollback(self, target: str, to: str | None, by: str) -> Watch:
        """Ask for a rollback, to the newest known-good revision or to `to`. Returns the condemned watch: the engine of
        whoever owns the target takes it from there.

        Raises UnknownName (target, revision), Refused (never seen, or a rollback is under way already), Conflict.
        """
        open_ones = [w for w in self._store.open_watches() if w.target == self.target(target).name]
        busy = next((w for w in open_ones if w.state in UNDER_WAY), None)
        if busy is not None:
            raise Refused(f"a rollback of {target} is under way: `watchdog explain {busy.incident}` shows it")
        watch = self._manual_watch(target, to, by)
        ended = [w.model_copy(update=self._ended("a person rolls back")) for w in open_ones]
        headline = f"{target} {watch.revision}: rollback asked for by {by}"
        stored = watch.model_copy(update={"version": 1})
        events = [
            tell.note(watch, watch.opened_at, f"{by} asked for a rollback to {to or 'the newest known-good revision'}"),
            *(self._rejected(w, by) for w in ended),
        ]
        opened = tell.incident_of(stored, watch.opened_at, headline, None)
        self._write(
            Step(
                watches=(stored, *(w.model_copy(update={"version": w.version + 1}) for w in ended)),
                events=tuple(events),
                incidents=(opened, *(self._closed(w) for w in ended if w.incident)),
            )
        )
        return stored

    def preview(self, target: str, to: str | None, by: str) -> Preview:
        """What a rollback would do now. Raises as `rollback`, and Unavailable when the platform does not answer."""
        scene = self._scene(target)
        watch = self._manual_watch(target, to, by)
        prepared = work_out(scene, watch)
        facts = facts_for(scene, watch, prepared)
        facts = facts.model_copy(update={"owner": facts.me})
        return Preview(
            target=target,
            from_revision=watch.revision,
            to_revision=prepared.candidate.id if prepared.candidate else None,
            draft=prepared.draft,
            objections=objections(facts, self._clock.now()),
        )

    def approve(self, target: str, revision: str | None, by: str) -> Revision:
        """Call a revision known good on a person's word: the held one, the running one, or the one named.

        Raises UnknownName, Refused (nothing was ever seen), Conflict.
        """
        name = self.target(target).name
        held = next((w for w in self._store.open_watches() if w.target == name and w.state is WatchState.held), None)
        wanted = revision or (held.revision if held else self._running(name)[0])
        known = self._revision(name, wanted)
        now = self._clock.now()
        good = known.model_copy(
            update={
                "known_good": True,
                "known_good_at": now,
                "known_good_because": "approved",
                "condemned": False,
            }
        )
        if held is None or held.revision != wanted:
            self._write(Step(revisions=(good,)))
            return good
        ended = held.model_copy(
            update={
                "state": WatchState.passed,
                "ended_at": now,
                "end_reason": f"approved by {by}",
                "version": held.version + 1,
            }
        )
        event = tell.hold_ended(ended, now, "approved", by)
        self._write(Step(watches=(ended,), revisions=(good,), events=(event,), incidents=(self._closed(ended),)))
        return good

    def pause(self, target: str, duration: timedelta | None, reason: str, by: str) -> Pause:
        """Nothing of this target is rolled back automatically until it is resumed, or `duration` is over."""
        now = self._clock.now()
        until = now + duration if duration else None
        pause = Pause(target=self.target(target).name, since=now, until=until, reason=reason, by=by)
        event = tell.pause_event(EventKind.paused, pause, self.target(target).environment, now)
        self._write(Step(pause=pause, events=(event,)))
        return pause

    def resume(self, target: str, by: str) -> bool:
        """End the pause; False when there was none."""
        pause = self._store.pause(self.target(target).name)
        if pause is None:
            return False
        now = self._clock.now()
        said = pause.model_copy(update={"by": by})
        event = tell.pause_event(EventKind.resumed, said, self.target(target).environment, now)
        self._write(Step(resume=target, events=(event,)))
        return True

    def _manual_watch(self, target: str, to: str | None, by: str) -> Watch:
        revision, fingerprint = self._running(self.target(target).name)
        if to is not None:
            self._revision(target, to)
        now = self._clock.now()
        watch = Watch(
            id=new_watch_id(),
            target=target,
            environment=self.target(target).environment,
            platform=self.target(target).spec.kind,
            revision=revision,
            fingerprint=fingerprint,
            origin="manual",
            requested_revision=to,
            requested_by=by,
            mode=Mode.enforce,
            state=WatchState.condemned,
            opened_at=now,
            changed_at=now,
            seen_at=now,
            condemned_at=now,
            decision=Decision(kind=DecisionKind.rollback, reason=f"asked for by {by}"),
        )
        return watch.model_copy(update={"incident": tell.incident_id(watch)})

    def _running(self, target: str) -> tuple[str, str]:
        bookmark = self._store.bookmark(target)
        if bookmark is None:
            raise Refused(
                f"{target} was never seen running, so there is nothing to go back to; start `watchdog run`, or see "
                "`watchdog check` if it does run"
            )
        return bookmark.revision, bookmark.fingerprint

    def _revision(self, target: str, revision: str) -> Revision:
        found = self._store.revision(target, revision)
        if found is None:
            known = ", ".join(r.id for r in self._store.revisions(target, limit=20)) or "none yet"
            raise UnknownName(f"{target} has no revision {revision!r}; known, newest first: {known}")
        return found

    def _ended(self, reason: str) -> dict[str, object]:
        return {"state": WatchState.superseded, "ended_at": self._clock.now(), "end_reason": reason}

    def _rejected(self, ended: Watch, by: str) -> Event:
        now = self._clock.now()
        if ended.held_until is not None:
            return tell.hold_ended(ended, now, "rejected", by)
        return tell.superseded(ended, now, ended.end_reason, None)

    def _closed(self, ended: Watch) -> Incident:
        before = self._store.incident(ended.incident or "")
        headline = f"{before.headline if before else ended.revision} ({ended.end_reason})"
        return tell.incident_of(ended, self._clock.now(), headline, before)

    def _write(self, step: Step) -> None:
        self._store.save(step.model_copy(update={"notices": tuple(n for e in step.events for n in self._notices(e))}))
