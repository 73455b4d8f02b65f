"""`Engine.tick(now)`: one turn for every target. Time is an argument; nothing here waits.

A turn: hold the claim, look when it is time or something happened, take note of deploys, and let each open watch take
its next step. Everything between two steps is in the store, so a new process goes on where this one was.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from watchdog.engine import deploys, proving, rolling, watching
from watchdog.engine.scene import Parts, Place, Scene
from watchdog.errors import Conflict, Refused, StoreDamaged, StoreUnavailable, Unavailable, WatchdogError
from watchdog.model.watch import Watch, WatchState

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)
"""How long a claim lasts without being renewed: how soon another replica takes over from a dead one."""
BUSY = timedelta(seconds=1)
"""How often a target is looked at while its rollout, or the proof of a rollback, is under way."""

LOOKS_A_TURN = 200
"""How many targets with nothing going on are looked at for the first time in one turn."""
QUIET = timedelta(minutes=1)

STEPS: dict[WatchState, Callable[[Scene, Watch], Watch]] = {
    WatchState.arriving: watching.step,
    WatchState.watching: watching.step,
    WatchState.held: watching.wait_for_a_person,
    WatchState.condemned: rolling.prepare,
    WatchState.rolling_back: proving.act,
    WatchState.verifying: proving.prove,
}


class Engine:
    """Guards targets. All state is in the store; see `Parts` for what it is made of."""

    def __init__(self, parts: Parts, report: Callable[[Exception], None] = lambda _: None) -> None:
        """`report` is told of unexpected errors of one target's turn; the other targets' turns go on."""
        self._parts = parts
        self._report = report
        self._places = {name: Place(target=target) for name, target in parts.roster.items()}
        self._heard_of: deque[str] = deque()
        self.last_tick: datetime | None = None

    def wake(self, target: str) -> None:
        """Something happened to this target: look at it on the next tick. A name that is new may be a release that a
        pattern stands for. Any thread may call this."""
        place = self._places.get(target)
        if place is not None:
            place.woken = True
        else:
            self._heard_of.append(target)

    def looked(self, target: str) -> bool:
        """Whether what runs is known, or why it can't be."""
        place = self._places[target]
        return place.rests or place.snapshot is not None or place.error is not None

    def troubles(self) -> dict[str, str]:
        """Targets whose platform does not answer now, with why."""
        return {name: place.error for name, place in self._places.items() if place.error is not None}

    def owns(self, target: str) -> bool:
        """Whether this process holds the target's claim."""
        return self._places[target].claimed_until is not None

    def scene(self, target: str, now: datetime) -> Scene:
        """The target at this moment, for previews: reading only."""
        return Scene(self._parts, self._places[target], now)

    def look(self, now: datetime) -> None:
        """As `tick`, but only see what runs and take note of it: no watch takes a step, and nothing is acted on."""
        self.tick(now, steps=False)

    def tick(self, now: datetime, *, steps: bool = True) -> None:
        """One turn for every target. Raises StoreUnavailable or StoreDamaged when there is no state to work from."""
        by_target: dict[str, list[Watch]] = {}
        for watch in self._parts.store.open_watches():
            by_target.setdefault(watch.target, []).append(watch)
        self._meet(by_target)
        looks = LOOKS_A_TURN
        for name, place in tuple(self._places.items()):
            try:
                if name not in by_target:
                    if self._nothing_to_do(place, now):
                        continue
                    looks -= place.snapshot is None and not place.rests
                    if looks < 0:
                        continue  # many were found at once: the next turns look at the rest
                self._turn(place, by_target.get(name, []), now, steps)
            except Conflict as error:
                place.bookmark_read = False
                log.info("someone else wrote to %s: %s; reading it again", name, error)
            except (StoreUnavailable, StoreDamaged):
                raise
            except Exception as error:  # noqa: BLE001 -- the loop's edge: one target's trouble must not stop the others
                self._complain(place, error, now)
        self.last_tick = now

    def _meet(self, watched: Iterable[str]) -> None:
        """Take up the targets that were heard of, or that have an open watch from before a restart."""
        names = [name for name in watched if name not in self._places]
        while self._heard_of:
            names.append(self._heard_of.popleft())
        self._parts.roster.meet(names)
        for name in names:
            if name in self._parts.roster and name not in self._places:
                self._places[name] = Place(target=self._parts.roster[name])

    def _nothing_to_do(self, place: Place, now: datetime) -> bool:
        """An idle target whose platform tells of all that happens costs nothing, not even a claim."""
        told = self._parts.platforms[place.target.spec.kind].resyncs
        recording = self._parts.jobs.pending(("record", place.target.name))
        busy = place.woken or place.looking or recording or place.looked_at is None or now < place.looked_at
        return told and not busy and place.error is None and (place.rests or place.bookmark is not None)

    def stop(self) -> None:
        """Give up the claims, so that another replica need not wait for them to expire."""
        for name, place in self._places.items():
            if place.claimed_until is not None:
                self._parts.store.release(name, self._parts.owner)
                place.claimed_until = None

    def _complain(self, place: Place, error: Exception, now: datetime) -> None:
        """Log and report what nobody foresaw; a turn is taken twice a second, the same words once a minute."""
        words = f"{type(error).__name__}: {error}"
        before = place.complained
        if before is not None and before[0] == words and timedelta(0) <= now - before[1] < QUIET:
            return
        place.complained = (words, now)
        log.error("the turn of %s failed", place.target.name, exc_info=error)
        self._report(error)

    def _turn(self, place: Place, watches: list[Watch], now: datetime, steps: bool) -> None:
        scene = Scene(self._parts, place, now)
        if not self._claimed(scene):
            place.held.clear()
            return
        if not place.bookmark_read:
            place.bookmark = scene.parts.store.bookmark(place.target.name)
            place.bookmark_read = True
        looked = self._look(scene, watches)
        if looked:
            watches = deploys.take_note(scene, watches)
        deploys.record(scene)
        for watch in watches:
            if steps and watch.state.open:
                self._advance(scene, watch)
        if looked and not watches and place.snapshot is not None:
            if not place.snapshot.fingerprint:
                self._forget(place)
            elif not place.snapshot.whole and self._nothing_to_do(place, now):
                place.rest()

    def _forget(self, place: Place) -> None:
        """A release that a pattern had found is gone."""
        name = place.target.name
        self._parts.roster.forget(name)
        if name not in self._parts.roster.known:
            self._parts.store.release(name, self._parts.owner)
            del self._places[name]

    def _advance(self, scene: Scene, watch: Watch) -> None:
        """Let the watch take steps until one leaves its state as it was. Each is stored before the next begins."""
        for _ in range(len(WatchState)):
            before = watch.state
            watch = STEPS[before](scene, watch)
            if not watch.state.open:
                scene.place.held.clear()
            if watch.state is before or not watch.state.open:
                return

    def _claimed(self, scene: Scene) -> bool:
        place, now = scene.place, scene.now
        fresh = place.claimed_until is not None and now < place.claimed_until - CLAIM / 2 <= now + CLAIM
        if fresh:
            return True
        if not self._parts.store.claim(place.target.name, self._parts.owner, now, CLAIM):
            place.claimed_until = None
            place.bookmark_read = False
            return False
        place.claimed_until = now + CLAIM
        return True

    def _look(self, scene: Scene, watches: list[Watch]) -> bool:
        """Take a snapshot when it is time; True when a new one, or a failure, has just come in."""
        place, jobs = scene.place, self._parts.jobs
        key = ("look", place.target.name)
        if not jobs.pending(key) and self._time_to_look(scene, watches):
            place.woken, place.looking = False, True
            place.looked_at = scene.now
            target, now = place.target, scene.now
            accepts = place.bookmark is None and target.rollback.first_known_good == "running"
            whole = bool(watches) or accepts
            jobs.submit(key, lambda: scene.platform.snapshot(target, now, whole=whole))
        done = jobs.take(key)
        if done is None:
            return False
        place.looking = False
        error = done.exception()
        if error is None:
            place.snapshot, place.error = done.result(), None
        elif isinstance(error, Unavailable | Refused):
            if place.error is None:
                log.warning("cannot look at %s: %s", place.target.name, error)
            place.error = str(error)
        elif isinstance(error, WatchdogError):
            raise error
        else:
            place.error = f"{type(error).__name__}: {error}"
            raise error
        return True

    def _time_to_look(self, scene: Scene, watches: list[Watch]) -> bool:
        place = scene.place
        if place.woken or place.looked_at is None or scene.now < place.looked_at:
            return True
        states = {w.state for w in watches}
        if states & {WatchState.arriving, WatchState.rolling_back, WatchState.verifying, WatchState.condemned}:
            every = BUSY
        elif WatchState.watching in states:
            every = place.target.watch.interval
        elif scene.platform.resyncs and place.error is None and place.bookmark is not None:
            return False
        else:
            every = self._parts.sweep
        return scene.now - place.looked_at >= every
