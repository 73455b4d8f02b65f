"""Asks what is due, and judges what came back: one measurement each, folded into its rule's progress.

Questions to sources and probes are jobs; `crashes` and `release` rules are answered by the snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from watchdog.engine import comparing, pooling
from watchdog.engine.asking import asks_platform, context, due, judged_revision, platform_answer
from watchdog.engine.held import MOST, Answer
from watchdog.engine.scene import Scene
from watchdog.errors import BadTemplate
from watchdog.judge.assess import assess
from watchdog.judge.window import advance
from watchdog.model.comparison import Calibration
from watchdog.model.measurement import Measurement, Observation
from watchdog.model.rule import CompareMeasure, Measure, Rule
from watchdog.model.watch import UNMEASURED, Progress, Watch
from watchdog.template import render_all


@dataclass(frozen=True)
class Judged:
    """What came of asking: every rule's progress, the new measurements, and how compare rules are judged now."""

    progress: dict[str, Progress]
    measurements: list[Measurement]
    calibrations: dict[str, Calibration]

    def into(self, watch: Watch) -> Watch:
        """The watch that remembers what compare rules found, and what others lend them."""
        found = {m.rule: m.finding for m in self.measurements if m.finding is not None}
        if not found and not self.calibrations:
            return watch
        update = {
            "findings": {**watch.findings, **found},
            "calibrations": {**watch.calibrations, **self.calibrations},
        }
        return watch.model_copy(update=update)


def measure(scene: Scene, watch: Watch, rules: Sequence[Rule], so_far: Mapping[str, Progress], phase: str) -> Judged:
    """Ask what is due, judge what came back."""
    progress, calibrations = dict(so_far), {}
    measurements = []
    answers = []
    for rule in rules:
        answer = _ask(scene, watch, rule, progress.get(rule.name, UNMEASURED), phase)
        if answer is not None:
            answers.append((rule, *answer))
    for rule, at, observation in pooling.pooled(scene, watch, answers):
        assessment = assess(rule, observation)
        progress[rule.name] = advance(progress.get(rule.name, UNMEASURED), rule, assessment.outcome, at)
        if observation.calibration is not None:
            calibrations[rule.name] = observation.calibration
        measurements.append(
            Measurement(
                watch=watch.id,
                rule=rule.name,
                at=at,
                query=observation.query,
                samples=assessment.samples,
                series=assessment.series,
                verdict=assessment.outcome.verdict,
                reason=assessment.outcome.reason,
                took=observation.took,
                phase=phase,
                finding=observation.finding,
            )
        )
    return Judged(progress, measurements, calibrations)


def _ask(scene: Scene, watch: Watch, rule: Rule, state: Progress, phase: str) -> tuple[datetime, Observation] | None:
    """The rule's answer, if it is due or has just come in."""
    if asks_platform(rule):
        return _ask_platform(scene, watch, rule, state, phase)
    jobs, key = scene.parts.jobs, ("measure", watch.id, rule.name + phase)
    if not jobs.pending(key) and due(rule, scene.target, watch, state, scene.now):
        try:
            asked = render_all(rule.measure, context(scene.target, judged_revision(watch), scene.place.snapshot))
        except BadTemplate as bad:
            return scene.now, Observation(query=str(rule.measure), error=str(bad))
        call = _call(scene, watch, rule, asked)
        if call is None:
            return scene.now, Observation(query=asked.kind, error=f"no source for {asked.kind} rules is configured")
        scene.place.asked_at[key] = scene.now
        jobs.submit(key, call)
    done = jobs.take(key)
    if done is None:
        return None
    at = scene.place.asked_at.pop(key, scene.now)
    error = done.exception()
    if error is not None:
        # A gauge that raises is broken, which is a fact about the watchdog, not about the deploy.
        return at, Observation(query=rule.measure.kind, error=f"{type(error).__name__}: {error}")
    answer = done.result()
    return at, _take(scene, (watch.id, rule.name), answer) if isinstance(answer, Answer) else answer


def _take(scene: Scene, key: tuple[str, str], answer: Answer) -> Observation:
    """Hold what the next look goes on from."""
    compared = sum(rule.measure.kind == "compare" for rule in scene.target.rules)
    held = answer.within(MOST / max(1, compared))
    if held is None:
        scene.place.held.pop(key, None)
    else:
        scene.place.held[key] = held
    return answer.observation


def _call(scene: Scene, watch: Watch, rule: Rule, asked: Measure) -> Callable[[], Answer | Observation] | None:
    """The question as a job; None: there is no source for it."""
    now = scene.now
    if isinstance(asked, CompareMeasure):
        history = scene.parts.history(scene.target.name, asked)
        pods = scene.place.snapshot.pods if scene.place.snapshot else ""
        question = comparing.question(scene, watch, rule, asked)
        question = replace(question, pods=pods, held=scene.place.held.get((watch.id, rule.name)))
        return None if history is None else lambda: comparing.answer(history, question)
    gauge = scene.parts.gauges.get(asked.kind)
    return None if gauge is None else lambda: gauge.measure(asked, now)


def _ask_platform(
    scene: Scene, watch: Watch, rule: Rule, state: Progress, phase: str
) -> tuple[datetime, Observation] | None:
    """Judge the snapshot at each interval, and at once when it shows something new."""
    place, snapshot = scene.place, scene.place.close_up
    in_time = due(rule, scene.target, watch, state, scene.now)
    if place.error is not None:
        return (scene.now, Observation(query=rule.measure.kind, error=place.error)) if in_time else None
    if snapshot is None or (phase == "watch" and snapshot.fingerprint != watch.fingerprint):
        return None
    key = f"{watch.id} {rule.name} {phase}"
    signature = (snapshot.exits, snapshot.rollout, tuple((i.id, i.state, i.health) for i in snapshot.instances))
    if not in_time and place.judged.get(key) == signature:
        return None
    place.judged[key] = signature
    return scene.now, platform_answer(rule.measure, snapshot, scene.target, watch, scene.now)
