"""Which rules of a target judge together, what their shares are, and what crash and probe rules lend to the evidence.

The findings are the watch's, so that a new process goes on where this one was. Where nothing is compared, nothing
here does anything, and numpy is not loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from watchdog.engine.scene import Scene
from watchdog.judge.assess import assess
from watchdog.model.comparison import Finding
from watchdog.model.measurement import Observation, Verdict
from watchdog.model.rule import (
    Action,
    CommandMeasure,
    CompareMeasure,
    CrashesMeasure,
    HttpMeasure,
    Mode,
    Rule,
    TcpMeasure,
)
from watchdog.model.watch import Watch, WatchState

Answers = Sequence[tuple[Rule, datetime, Observation]]

EARLIER = 5
"""From how many earlier good watches the usual failures of a probe are known."""


def pool_of(rules: Sequence[Rule], mode: Mode) -> list[Rule]:
    """The compare rules that share one budget: those that may roll back or hold, or those that only watch."""
    return [r for r in rules if r.measure.kind == "compare" and r.mode is mode and r.action is not Action.alert]


def lenders(rules: Sequence[Rule]) -> list[Rule]:
    """The rules that lend evidence where something is compared: one that counts crashes, and the probes."""
    if not pool_of(rules, Mode.enforce):
        return []
    deciding = [r for r in rules if r.mode is Mode.enforce and r.action is not Action.alert]
    crashes = {r.measure.count: r for r in reversed(deciding) if isinstance(r.measure, CrashesMeasure)}
    counting = crashes.get("exits") or crashes.get("oom_kills")  # every kill is an exit too: only one may count them
    return [*([counting] if counting else []), *(r for r in deciding if _is_probe(r))]


def _is_probe(rule: Rule) -> bool:
    asked = rule.measure
    return isinstance(asked, HttpMeasure | TcpMeasure) or (isinstance(asked, CommandMeasure) and asked.output == "exit")


def weights(rules: Sequence[Rule], mode: Mode) -> dict[str, float]:
    """Each rule's share of the budget, with what crash and probe rules have where they lend to this pool."""
    from watchdog.judge.compare.failures import FAILURES  # noqa: PLC0415 -- numpy
    from watchdog.judge.compare.pooling import signal_weights  # noqa: PLC0415
    from watchdog.judge.compare.rule import group_of  # noqa: PLC0415

    compared = {r.name: group_of(r.measure) for r in pool_of(rules, mode) if isinstance(r.measure, CompareMeasure)}
    lent = {r.name: FAILURES for r in lenders(rules)} if mode is Mode.enforce else {}
    return signal_weights({**compared, **lent})


def pooled(scene: Scene, watch: Watch, answers: Answers) -> list[tuple[Rule, datetime, Observation]]:
    """The answers, with the verdicts of compare rules as all evidence together has it: many small signs are one.

    Those of crash and probe rules have the finding that they lend.
    """
    compared = {rule.name for rule in pool_of(scene.target.rules, Mode.enforce)}
    if not compared or not answers or watch.state is WatchState.verifying:
        return list(answers)
    lent = _lent(scene, watch, answers)
    fresh = {rule.name: found for rule, _, o in answers if rule.name in compared and (found := o.finding) is not None}
    judged = {**lent, **fresh}
    if fresh:
        from watchdog.judge.compare.together import together  # noqa: PLC0415 -- numpy

        latest = {**watch.findings, **judged}
        beside = [latest[rule.name] for rule in lenders(scene.target.rules) if rule.name in latest]
        known = [finding for name, finding in latest.items() if name in compared]
        judgement = together(known, watch.budget, beside)
        judged |= {finding.rule: finding for finding in judgement.findings if finding.rule in fresh}
    return [
        (rule, at, o.model_copy(update={"finding": judged[rule.name]}) if rule.name in judged else o)
        for rule, at, o in answers
    ]


def _lent(scene: Scene, watch: Watch, answers: Answers) -> dict[str, Finding]:
    """What crash and probe rules say after these answers."""
    lending = {rule.name for rule in lenders(scene.target.rules)}
    asked = [(rule, at, o) for rule, at, o in answers if rule.name in lending and o.error is None]
    if not asked:
        return {}
    shares = weights(scene.target.rules, Mode.enforce)
    found = {
        rule.name: _restarts(scene, watch, rule, at, shares)
        if isinstance(rule.measure, CrashesMeasure)
        else _probes(scene, watch, rule, o, shares)
        for rule, at, o in asked
    }
    return {name: finding for name, finding in found.items() if finding is not None}


def _restarts(scene: Scene, watch: Watch, rule: Rule, at: datetime, shares: Mapping[str, float]) -> Finding | None:
    """From the snapshot, which has only ends that nobody ordered. Those of instances that are gone are in the finding
    of the look before."""
    from watchdog.judge.compare.failures import restarted  # noqa: PLC0415 -- numpy

    snapshot = scene.place.close_up
    if snapshot is None:
        return None
    only_killed = isinstance(rule.measure, CrashesMeasure) and rule.measure.count == "oom_kills"
    ends = [e for e in snapshot.exits if e.oom_killed or not only_killed]
    before = watch.findings.get(rule.name)
    count = max(len(ends), int((before.events_after if before else None) or 0))
    began = min([watch.opened_at, *(e.at for e in ends)])
    running = sum(not i.one_shot for i in snapshot.instances)
    return restarted(
        rule.name,
        count,
        max((at - began).total_seconds(), 0.0),
        weight=shares[rule.name],
        instances=running,
        hour_before=watch.restarts_before,
    )


def _probes(scene: Scene, watch: Watch, rule: Rule, o: Observation, shares: Mapping[str, float]) -> Finding | None:
    """One more probe; before the first that passes they say nothing but that it is not ready yet."""
    from watchdog.judge.compare.failures import probed  # noqa: PLC0415 -- numpy

    verdict, before = assess(rule, o).outcome.verdict, watch.findings.get(rule.name)
    if verdict not in (Verdict.passed, Verdict.failed) or (before is None and verdict is Verdict.failed):
        return None
    failed, made, usual = 0.0, 0.0, 0.0
    if before is None:
        usual = _usual_failures(scene, watch, rule)
    else:
        failed, made, usual = before.events_after or 0.0, before.total_after or 0.0, before.before or 0.0
    return probed(
        rule.name,
        round(failed) + (verdict is Verdict.failed),
        round(made) + 1,
        weight=shares[rule.name],
        interval=(rule.interval or scene.target.watch.interval).total_seconds(),
        usual=usual,
    )


def _usual_failures(scene: Scene, watch: Watch, rule: Rule) -> float:
    """The share of this rule's probes that failed in earlier good watches, or in the last one of the version before,
    however that ended; the larger. 0 where none is known."""
    earlier = [w for w in scene.parts.store.watches(watch.target, limit=EARLIER + 1) if w.id != watch.id]
    good = [w for w in earlier if w.state is WatchState.passed]
    before = [w for w in earlier if w.revision == watch.previous][:1]
    return max(_failed_share(good, rule.name), _failed_share(before, rule.name))


def _failed_share(watches: Sequence[Watch], rule: str) -> float:
    known = [w.findings[rule] for w in watches if rule in w.findings]
    made = sum(finding.total_after or 0.0 for finding in known)
    return sum(finding.events_after or 0.0 for finding in known) / made if made else 0.0
