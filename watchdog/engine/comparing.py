"""`compare` rules in a watch: what is asked of their source, and by what they are judged.

Asking, and the calibration at the first look, are one job. The calibration is stored with the watch; the samples are
the source's, so that a new process goes on where this one was. Later looks ask for what is new: see held.py.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from watchdog.engine.held import Answer, Asked, Held, read_until
from watchdog.engine.pooling import pool_of, weights
from watchdog.engine.scene import Scene
from watchdog.errors import Refused, Unavailable
from watchdog.model.comparison import Calibration, CompareKind, CountCalibration, Finding, LevelCalibration
from watchdog.model.measurement import Observation, Sample
from watchdog.model.rule import CompareMeasure, Rule, Trigger
from watchdog.model.series import Series
from watchdog.model.target import Target
from watchdog.model.watch import Watch, WatchState
from watchdog.observe.base import History

if TYPE_CHECKING:
    from watchdog.judge.compare.rule import Setting

REMEMBERED = timedelta(hours=24)
"""How much of the history before a deploy is asked for."""
EARLIER = 5
"""From how many earlier good deploys the usual start is learnt."""
STALE_AFTER = 3.5
"""Intervals without a sample after which nobody knows how the service is."""
STEP = timedelta(seconds=15)
"""Between two samples where the history does not tell."""


@dataclass(frozen=True)
class Question:
    """All that a job needs: times in unix seconds."""

    rule: str
    measure: CompareMeasure
    deployed: float
    """The baseline ends here."""
    began: float
    """The new version is counted from here on."""
    now: float
    setting: Setting
    calibration: Calibration | None
    nothing_known: bool
    """An earlier look found no history before the deploy, and that has not grown since."""
    cut: tuple[tuple[float, float], ...]
    earlier: tuple[float, ...]
    """When earlier good deploys began to be watched."""
    proving: bool
    pods: str = ""
    """A pattern of the new version's pods."""
    held: Held | None = None
    """What the looks before came to."""


def question(scene: Scene, watch: Watch, rule: Rule, measure: CompareMeasure) -> Question:
    """What this rule asks now; `measure` has its templates filled in."""
    proving = watch.state is WatchState.verifying and watch.verification is not None
    began = watch.settled_at or watch.changed_at
    if proving and watch.verification is not None:
        began = watch.verification.began_at
    calibration = watch.calibrations.get(rule.name)
    nothing_known = calibration is None and rule.name in watch.findings
    earlier: list[Watch] = []
    if calibration is None and not nothing_known:  # only the first look reads what was before
        earlier = [w for w in scene.parts.store.watches(watch.target, limit=50) if w.id != watch.id]
    return Question(
        rule=rule.name,
        measure=measure,
        deployed=watch.opened_at.timestamp(),
        began=began.timestamp(),
        now=scene.now.timestamp(),
        setting=setting_of(scene.target, rule, scene.place.snapshot.pods if scene.place.snapshot else ""),
        calibration=calibration,
        nothing_known=nothing_known,
        cut=tuple((w.opened_at.timestamp(), (w.ended_at or scene.now).timestamp()) for w in earlier),
        earlier=tuple(
            w.settled_at.timestamp() for w in earlier if w.state is WatchState.passed and w.settled_at is not None
        )[:EARLIER],
        proving=proving,
    )


def answer(source: History, asked: Question) -> Answer:
    """Ask the source for what is new, and judge it. Never raises for what the source does."""
    from watchdog.judge.compare.rule import no_data  # noqa: PLC0415 -- numpy

    started = time.monotonic()
    words = shown(asked.measure)
    try:
        calibration = asked.calibration
        if calibration is None and not asked.nothing_known:
            calibration = calibrated(source, asked)
        if calibration is None:
            finding = no_data(asked.rule, asked.measure, asked.setting, _unjudged(asked))
            return Answer(Observation(query=words, finding=finding, took=_since(started)))
        found, held = _look(source, asked, calibration)
    except (Unavailable, Refused) as error:
        return Answer(Observation(query=words, error=str(error), took=_since(started)), asked.held)
    if isinstance(found, str):
        return Answer(Observation(query=words, error=found, took=_since(started), calibration=calibration), held)
    sample = Sample(value=found.ln_e, labels={"signal": asked.measure.signal.value})
    said = Observation(query=words, samples=(sample,), finding=found, calibration=calibration, took=_since(started))
    return Answer(said, held)


def _look(source: History, asked: Question, calibration: Calibration) -> tuple[Finding | str, Held | None]:
    """(what the samples so far say, or why nobody knows how the service is; what to hold). Raises Unavailable,
    Refused."""
    from watchdog.judge.compare.following import follow_rule, joined, newest_of  # noqa: PLC0415 -- numpy
    from watchdog.judge.compare.rule import healed, interval_of  # noqa: PLC0415

    same = Asked(asked.measure, asked.began, asked.proving, asked.pods, calibration)
    held = asked.held if asked.held is not None and asked.held.asked == same else None
    carried, setting = held.carried if held else None, asked.setting
    if isinstance(calibration, CountCalibration):
        setting = with_interval(setting, calibration.interval_seconds)
    begin = round(asked.began - 2 * setting.interval, 3)
    since = carried.until if carried else begin
    until = read_until(begin, asked.now, setting.interval, since)
    samples = samples_of(source, asked.measure, since, asked.now, setting.interval)
    if not isinstance(calibration, CountCalibration):
        samples = joined(carried, samples)
        setting = with_interval(setting, interval_of(samples, setting.interval))
    newest = newest_of(samples, carried)
    stale = _stale(newest, asked, setting.interval)
    if stale is not None:
        return stale, held
    found, carried = follow_rule(
        asked.rule, asked.measure, calibration, samples, asked.began, asked.now, setting, carried, until, newest
    )
    update = {"course": (), "verdict": healed(calibration, found) if asked.proving else found.verdict}
    return found.model_copy(update=update), Held(same, carried)


def shown(measure: CompareMeasure) -> str:
    """What is asked, in one line."""
    expressions = {"query": measure.query, "per": measure.per}
    given = measure.selectors | {name: text for name, text in expressions.items() if text}
    return f"compare {measure.signal.value}: " + "; ".join(f"{name} {text}" for name, text in given.items())


def can_see(rule: str, calibration: Calibration) -> str:
    """What is said at the beginning of a watch: by what it is judged, and what this traffic can show."""
    if isinstance(calibration, CountCalibration):
        return f"{rule}: {calibration.sees}; φ from {calibration.phi_from}; {calibration.start_from}"
    views = ["the version before"]
    if isinstance(calibration, LevelCalibration):
        views += ["the same time yesterday"] if calibration.yesterday else []
        views += ["what it was per unit of work"] if calibration.per else []
    return f"{rule}: judged against {', and against '.join(views)}"


def calibrated(source: History, asked: Question) -> Calibration | None:
    """How the rule is judged, from the history before the deploy; None: there is too little. Raises Unavailable,
    Refused."""
    from watchdog.judge.compare.rule import START_LOOKED_AT, calibrate_rule, interval_of  # noqa: PLC0415 -- numpy

    seconds = REMEMBERED.total_seconds()
    before = samples_of(source, asked.measure, asked.deployed - seconds, asked.deployed, asked.setting.interval)
    setting = with_interval(asked.setting, interval_of(before, asked.setting.interval))
    earlier = [
        (began, samples_of(source, asked.measure, began - setting.interval, began + START_LOOKED_AT, setting.interval))
        for began in asked.earlier
        if asked.measure.signal in (CompareKind.ratio, CompareKind.latency)
    ]
    return calibrate_rule(
        asked.measure,
        before,
        asked.deployed,
        setting,
        seconds=seconds,
        cut=asked.cut,
        earlier=[(began, samples) for began, samples in earlier if any(samples.values())],
    )


def samples_of(
    source: History, measure: CompareMeasure, start: float, end: float, interval: float
) -> Mapping[str, Sequence[Series]]:
    """The samples after `start` up to `end` (unix seconds), by the measure's keys. Raises Unavailable, Refused."""
    begin, until = _utc(start), _utc(end)
    if measure.selectors:
        return source.series(measure.selectors, begin, until)
    step = timedelta(seconds=interval)
    found = {"query": source.evaluate(measure.query or "", begin, until, step)}
    if measure.limit is not None:
        found["limit"] = source.evaluate(measure.limit, until - step, until, step)
    if measure.per is not None:
        found["per"] = source.evaluate(measure.per, begin, until, step)
    return found


def _unjudged(asked: Question) -> str:
    """Why a rule has no calibration."""
    why = f"nothing is known of {asked.rule} before this deploy"
    if asked.measure.signal is CompareKind.growth:
        why = f"{asked.rule}: too short a watch to see a trend"
    return f"{why}: thresholds, probes and crashes are what counts"


def _stale(newest: float | None, asked: Question, interval: float) -> str | None:
    """Why samples up to `newest` say nothing of how the service is now; None: they do."""
    waited = asked.now - max(newest or 0.0, asked.began)
    if waited <= STALE_AFTER * interval:
        return None
    when = "since it began to serve" if newest is None or newest < asked.began else f"for {waited:.0f} s"
    return f"no sample {when}: either the service is not scraped, or its monitoring is down"


def setting_of(target: Target, rule: Rule, pods: str = "") -> Setting:
    """What the rule is judged by; `pods`: a pattern of the new version's, where pods are known."""
    from watchdog.judge.compare.rule import Setting  # noqa: PLC0415 -- numpy

    policy = target.watch
    words = {
        CompareKind.ratio: "errors" if rule.trigger is Trigger.errors else rule.name,
        CompareKind.latency: "requests",
    }
    measure = rule.measure
    signal = measure.signal if isinstance(measure, CompareMeasure) else CompareKind.level
    return Setting(
        interval=STEP.total_seconds(),
        watch_seconds=policy.bake_time.total_seconds(),
        longest=(policy.rollout_timeout + policy.bake_time + policy.max_extension).total_seconds(),
        weight=weights(target.rules, rule.mode).get(rule.name, 1.0),
        signals=max(1, len(pool_of(target.rules, rule.mode))),
        budget=policy.false_rollback_budget,
        what=words.get(signal, rule.name),
        is_new=_new_pods(pods),
    )


def _new_pods(pods: str) -> Callable[[Mapping[str, str]], bool] | None:
    """Whether a series is the new version's: by its `pod`, where there is one. None: all are."""
    if not pods:
        return None
    pattern = re.compile(pods)
    return lambda labels: "pod" not in labels or pattern.fullmatch(labels["pod"]) is not None


def with_interval(setting: Setting, interval: float) -> Setting:
    """The same, for samples that are so many seconds apart."""
    return replace(setting, interval=interval)


def _since(started: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - started)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
