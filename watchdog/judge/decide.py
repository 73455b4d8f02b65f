"""What follows from all verdicts so far. Pure: a watch, its rules and the time in; a decision with its reason out.

Only a tripped, enforced rule condemns or holds. Passing needs more than silence: the bake time is over, something was
really judged, and no run of failures is still open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from watchdog.model.base import format_duration
from watchdog.model.measurement import Verdict
from watchdog.model.rule import Action, Mode, Rule
from watchdog.model.target import WatchPolicy
from watchdog.model.watch import UNMEASURED, Decision, DecisionKind, Progress, Watch, WatchState


def deadline(watch: Watch, policy: WatchPolicy) -> datetime | None:
    """When a healthy watch ends: bake time after the rollout settled, longer by the time it was blind; None before."""
    return None if watch.settled_at is None else watch.settled_at + policy.bake_time + watch.blind


def decide(watch: Watch, rules: Sequence[Rule], policy: WatchPolicy, now: datetime) -> Decision:
    """The decision at `now`, for a watch that is arriving or watching (any other only learns of tripped rules).

    In this order:

    1. A tripped rule whose action is rollback: roll back. One whose action is hold: hold. The reason names all of
       them. Alert rules and rules in dry run never decide anything; a watch in dry run decides as any other, and it
       is the guard that objects.
    2. Blind for longer than `max_extension`: hold, since too little was seen for a judgement.
    3. Past the deadline: pass; or continue while a run of failures is still open (it may trip yet, or end), or while
       no rule could be judged at all (every last verdict is an error); at most until bake time and `max_extension`
       are over, then hold. Where compare rules saw too little, the watch is as long again, then `unsure` decides.
    4. Otherwise continue.
    """
    tripped = _tripped(watch.progress, rules)
    if tripped is not None:
        return tripped
    if watch.blind > policy.max_extension:
        reason = (
            f"blind for {format_duration(watch.blind)} > max_extension ({format_duration(policy.max_extension)}): "
            "too little was seen to call the deploy good or bad"
        )
        return Decision(kind=DecisionKind.hold, reason=reason)
    end = deadline(watch, policy)
    if watch.state is not WatchState.watching or watch.settled_at is None or end is None:
        return Decision(kind=DecisionKind.proceed, reason="the rollout is not finished; no rule has tripped")
    if now < end:
        left = format_duration(end - now)
        return Decision(kind=DecisionKind.proceed, reason=f"no rule has tripped; {left} of the bake time left")
    return _at_the_end(watch, rules, policy, now, watch.settled_at + policy.bake_time + policy.max_extension)


def _at_the_end(watch: Watch, rules: Sequence[Rule], policy: WatchPolicy, now: datetime, latest: datetime) -> Decision:
    """The decision past the deadline, where nothing tripped; at `latest` there is one, come what may."""
    doubt, doubted = _doubt(watch.progress, rules)
    if not doubt:
        return _unsure(watch, rules, policy, now, latest) or Decision(
            kind=DecisionKind.passed, reason=_why_passed(watch, rules, policy)
        )
    if now < latest:
        return Decision(kind=DecisionKind.proceed, reason=f"the bake time is over, but {doubt}", rules=doubted)
    limit = format_duration(policy.max_extension)
    return Decision(
        kind=DecisionKind.hold, reason=f"the bake time and max_extension ({limit}) are over, and {doubt}", rules=doubted
    )


def _unsure(
    watch: Watch, rules: Sequence[Rule], policy: WatchPolicy, now: datetime, latest: datetime
) -> Decision | None:
    """Compare rules that could judge, and saw too little: the watch is as long again, then `policy.unsure` says what
    follows. Where there was nothing to compare with, the other rules are what counts."""
    names = tuple(r.name for r in rules if r.mode is Mode.enforce and r.name in watch.calibrations)
    silent = [n for n in names if watch.progress.get(n, UNMEASURED).last is Verdict.inconclusive]
    if not silent or watch.settled_at is None:
        return None
    said = "; ".join(f"{name} ({watch.progress[name].last_reason})" for name in silent)
    if now < min(watch.settled_at + 2 * policy.bake_time + watch.blind, latest):
        reason = f"the bake time is over, but too little was seen: {said}"
        return Decision(kind=DecisionKind.proceed, reason=reason, rules=tuple(silent))
    if policy.unsure == "pass":
        return None
    reason = f"twice the bake time is over, and too little was seen to call it good: {said}"
    return Decision(kind=DecisionKind.hold, reason=reason, rules=tuple(silent))


def newly_tripped(before: Mapping[str, Progress], after: Mapping[str, Progress]) -> tuple[str, ...]:
    """The rules that tripped between the two, whatever their action and mode, in the order of `after`."""
    return tuple(name for name, now in after.items() if now.tripped and not before.get(name, UNMEASURED).tripped)


def _tripped(progress: Mapping[str, Progress], rules: Sequence[Rule]) -> Decision | None:
    kinds = ((Action.rollback, DecisionKind.rollback), (Action.hold, DecisionKind.hold))
    tripped = [r for r in rules if r.mode is Mode.enforce and progress.get(r.name, UNMEASURED).tripped]
    for action, kind in kinds:
        found = [rule.name for rule in tripped if rule.action is action]
        if found:
            reason = "; ".join(f"{name}: {progress[name].trip_reason}" for name in found)
            return Decision(kind=kind, reason=reason, rules=tuple(found))
    return None


def _doubt(progress: Mapping[str, Progress], rules: Sequence[Rule]) -> tuple[str, tuple[str, ...]]:
    """Why the watch can't pass yet, in words, and the rules meant; empty when it can."""
    running = tuple(rule.name for rule in rules if _run_is_open(rule, progress.get(rule.name, UNMEASURED)))
    if running:
        which = "; ".join(f"{name} ({progress[name].last_reason})" for name in running)
        return f"a run of failures is still open: {which}", running
    seen = [progress.get(rule.name, UNMEASURED).last for rule in rules]
    if rules and all(last is None or last is Verdict.error for last in seen):
        return f"none of the {len(rules)} rules could be judged", tuple(rule.name for rule in rules)
    return "", ()


def _run_is_open(rule: Rule, progress: Progress) -> bool:
    """Whether a decision may still come of the failures seen last. `failure_limit` has no runs."""
    decides = rule.mode is Mode.enforce and rule.action is not Action.alert
    return decides and rule.failure_limit is None and progress.failing_since is not None


def _why_passed(watch: Watch, rules: Sequence[Rule], policy: WatchPolicy) -> str:
    over = f"{format_duration(policy.bake_time)} of bake time over"
    if watch.blind:
        over += f", longer by {format_duration(watch.blind)} of blindness"
    silent = [r.name for r in rules if watch.progress.get(r.name, UNMEASURED).last is not Verdict.passed]
    healthy = f"no rule tripped, {len(rules) - len(silent)} of {len(rules)} pass" if rules else "no rules"
    return f"{over}; {healthy}" + (f"; not passing at the end: {', '.join(silent)}" if silent else "")
