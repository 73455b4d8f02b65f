"""A watch from its arrival to a decision: measure what is due, judge it, and act on the decision's kind.

No data and failed sources never count against the deploy. The time in which nothing could be judged makes the watch
longer, and is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from watchdog.engine import comparing, deploys
from watchdog.engine.arrivals import settled
from watchdog.engine.measuring import measure
from watchdog.engine.scene import Scene
from watchdog.judge.decide import decide, newly_tripped
from watchdog.judge.window import after_gap
from watchdog.model.base import format_duration
from watchdog.model.deploy import EvidenceItem
from watchdog.model.incident import Event
from watchdog.model.measurement import Measurement, Verdict
from watchdog.model.rule import Action, Mode, Rule
from watchdog.model.watch import UNMEASURED, Decision, DecisionKind, Progress, Watch, WatchState
from watchdog.report import incident as tell

UNSEEN = timedelta(seconds=30)
"""A longer stretch without a turn (the daemon was down, the machine slept, the clock jumped) is blind time."""
HEARTBEAT = timedelta(seconds=5)
"""How often a watch with no news is stored, so that a gap can be told from a quiet time."""


def step(scene: Scene, watch: Watch) -> Watch:
    """One turn of an arriving or watching watch."""
    before = watch
    watch, events = _mind_the_gap(scene, watch)
    watch = _settle(scene, watch)
    judged = measure(scene, watch, scene.target.rules, watch.progress, "watch")
    progress, measurements = judged.progress, judged.measurements
    events += [
        tell.note(watch, scene.now, comparing.can_see(rule, calibration))
        for rule, calibration in judged.calibrations.items()
        if rule not in watch.calibrations
    ]
    watch = judged.into(watch).model_copy(update={"progress": progress})
    watch, blindness = _account_for_blindness(scene, before, watch)
    events += blindness
    tripped = newly_tripped(before.progress, progress)
    events += [_tripped(scene, watch, name, measurements) for name in tripped]
    decision = decide(watch, scene.target.rules, scene.target.watch, scene.now)
    watch = watch.model_copy(update={"decision": decision})
    if decision.kind is DecisionKind.rollback:
        return condemn(scene, watch, events, measurements)
    if decision.kind is DecisionKind.hold:
        return hold(scene, watch, decision.reason, events, measurements)
    if decision.kind is DecisionKind.passed:
        return _pass(scene, watch, decision, events, measurements)
    news = events or measurements or watch.state is not before.state or scene.now - before.seen_at >= HEARTBEAT
    return scene.save(watch, *events, measurements=measurements) if news else before


def _mind_the_gap(scene: Scene, watch: Watch) -> tuple[Watch, list[Event]]:
    """After a stretch in which no turn was taken, unbroken runs of failures begin anew, and the watch is longer."""
    gap = scene.now - watch.seen_at
    if timedelta(0) <= gap <= UNSEEN:
        return watch, []
    watch = watch.model_copy(
        update={
            "blind": watch.blind + gap,
            "seen_at": scene.now,
            "progress": {name: after_gap(p) for name, p in watch.progress.items()},
        }
    )
    went = "backwards" if gap < timedelta(0) else "without a look"
    return watch, [tell.extended(watch, scene.now, f"the clock went {format_duration(abs(gap))} {went}")]


def _settle(scene: Scene, watch: Watch) -> Watch:
    """The rollout is finished, or has had all the time it may have: the bake time begins."""
    snapshot = scene.place.close_up
    if watch.state is not WatchState.arriving or snapshot is None or snapshot.fingerprint != watch.fingerprint:
        return watch
    policy = scene.target.watch
    late = scene.now - watch.opened_at - watch.blind >= policy.rollout_timeout + policy.interval * 2
    if late or settled(watch, snapshot, policy.settle, scene.now):
        return watch.model_copy(update={"state": WatchState.watching, "settled_at": scene.now})
    return watch


def _account_for_blindness(scene: Scene, before: Watch, watch: Watch) -> tuple[Watch, list[Event]]:
    """Time since the last turn counts as blind while an enforced rule's source fails."""
    enforced = [r for r in scene.target.rules if r.mode is Mode.enforce]

    def failing(progress: Mapping[str, Progress]) -> list[Rule]:
        return [r for r in enforced if progress.get(r.name, UNMEASURED).last is Verdict.error]

    now_failing, were_failing = failing(watch.progress), failing(before.progress)
    if were_failing:
        lost = max(scene.now - watch.seen_at, timedelta(0))
        watch = watch.model_copy(update={"blind": watch.blind + lost, "seen_at": scene.now})
    events = [
        tell.blind(watch, scene.now, rule)
        for rule in scene.target.rules
        if watch.progress.get(rule.name, UNMEASURED).blind and not before.progress.get(rule.name, UNMEASURED).blind
    ]
    if were_failing and not now_failing:
        reason = f"{', '.join(r.name for r in were_failing)} could not be measured"
        told = any(before.progress[r.name].blind for r in were_failing)
        say = tell.extended if told else tell.short_blindness  # a lone error is no news to a receiver
        events.append(say(watch, scene.now, reason))
    return watch, events


def _tripped(scene: Scene, watch: Watch, name: str, measurements: Sequence[Measurement]) -> Event:
    rule = scene.target.rule(name)
    if rule is None:
        raise ValueError(f"rule {name} tripped, and is not a rule of {watch.target}")
    query = next((m.query for m in reversed(measurements) if m.rule == name), "")
    if rule.action is not Action.alert and rule.mode is Mode.enforce:
        watch = watch.model_copy(update={"incident": watch.incident or tell.incident_id(watch)})
    return tell.tripped(watch, scene.now, rule, query)


def condemn(scene: Scene, watch: Watch, events: list[Event], measurements: list[Measurement]) -> Watch:
    """Write down that this deploy is bad, before anything follows from it."""
    watch = watch.model_copy(
        update={
            "state": WatchState.condemned,
            "condemned_at": scene.now,
            "incident": watch.incident or tell.incident_id(watch),
        }
    )
    reason = watch.decision.reason if watch.decision else ""
    headline = f"{watch.target} {watch.revision}: {reason}"
    before = scene.parts.store.incident(watch.incident or "")
    return scene.save(
        watch,
        *events,
        tell.note(watch, scene.now, f"decision: roll back: {reason}"),
        measurements=measurements,
        incident=tell.incident_of(watch, scene.now, headline, before),
    )


def hold(
    scene: Scene,
    watch: Watch,
    reason: str,
    events: list[Event],
    measurements: Sequence[Measurement] = (),
    evidence: Sequence[EvidenceItem] = (),
) -> Watch:
    """Leave it to a person, for a while."""
    watch = watch.model_copy(
        update={"state": WatchState.held, "incident": watch.incident or tell.incident_id(watch), "end_reason": reason}
    )
    expires = scene.now + scene.target.watch.hold_expires
    watch = watch.model_copy(update={"held_until": expires})
    headline = f"{watch.target} {watch.revision} is held: {reason}"
    before = scene.parts.store.incident(watch.incident or "")
    return scene.save(
        watch,
        *events,
        tell.held(watch, scene.now, reason, expires),
        measurements=measurements,
        evidence=evidence,
        incident=tell.incident_of(watch, scene.now, headline, before),
    )


def wait_for_a_person(scene: Scene, watch: Watch) -> Watch:
    """A held watch changes by a person's word (see `actions`), by a newer deploy, or when it expires."""
    if watch.held_until is None or scene.now < watch.held_until:
        return watch
    ended = watch.model_copy(update={"state": WatchState.expired, "ended_at": scene.now})
    before = scene.parts.store.incident(watch.incident or "")
    headline = f"{before.headline if before else watch.revision} (nobody decided)"
    return scene.save(
        ended,
        tell.hold_ended(ended, scene.now, "expired"),
        incident=tell.incident_of(ended, scene.now, headline, before),
    )


def _pass(
    scene: Scene, watch: Watch, decision: Decision, events: list[Event], measurements: list[Measurement]
) -> Watch:
    """The revision becomes known good."""
    watch = watch.model_copy(update={"state": WatchState.passed, "ended_at": scene.now, "end_reason": decision.reason})
    revision = scene.parts.store.revision(watch.target, watch.revision)
    good = []
    if revision is not None:
        known = {"known_good": True, "known_good_at": scene.now, "known_good_because": "watched", "condemned": False}
        good.append(revision.model_copy(update=known))
    stored = scene.save(
        watch, *events, tell.passed(watch, scene.now, decision.reason), measurements=measurements, revisions=good
    )
    deploys.preserve(scene)
    return stored
