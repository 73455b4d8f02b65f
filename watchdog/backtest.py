"""`watchdog backtest`: what would have become of past deploys, by the samples that a source still has.

The same judge as the live one, over the same looks; nothing is acted on. Rules that only the platform or a probe can
answer (crashes, http, …) are not asked: nobody remembers what they would have said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchdog.engine import comparing
from watchdog.engine.asking import context
from watchdog.errors import BadTemplate, Refused, Unavailable
from watchdog.judge.assess import assess
from watchdog.judge.window import advance
from watchdog.model.base import Value
from watchdog.model.comparison import Calibration, Finding
from watchdog.model.measurement import Observation, Sample, Verdict
from watchdog.model.rule import CompareMeasure, PrometheusMeasure, Rule
from watchdog.model.series import Series
from watchdog.model.target import Target
from watchdog.model.watch import Progress
from watchdog.observe.base import History
from watchdog.template import names_in, render_all

UNREMEMBERED = ("pods", "revision")
"""Names that nobody knows of a past deploy."""


@dataclass(frozen=True)
class PastDeploy:
    """A deploy, or with `placebo` a moment at which nothing was deployed."""

    target: str
    revision: str
    at: datetime
    placebo: bool = False


class Outcome(Value):
    """What would have become of one deploy."""

    target: str
    revision: str
    at: datetime
    verdict: Verdict
    """fail: it would have been rolled back, held or told of; inconclusive: too little is remembered."""
    rule: str = ""
    seconds: float | None = None
    """After the deploy, where it failed."""
    reason: str
    placebo: bool = False


def judge_deploys(
    target: Target, source: History, deploys: Sequence[PastDeploy], cut: Sequence[tuple[datetime, datetime]] = ()
) -> Iterator[Outcome]:
    """One outcome after the other, in the order of time. `cut`: stretches of no baseline, such as incidents.

    The watches of all these deploys are cut out too, and those that passed teach the usual start of the later ones.
    """
    stretches = [(begin.timestamp(), end.timestamp()) for begin, end in cut]
    watched = {d: (d.at.timestamp(), (d.at + target.watch.bake_time).timestamp()) for d in deploys if not d.placebo}
    good: list[float] = []
    for deploy in sorted(deploys, key=lambda d: d.at):
        others = [stretch for other, stretch in watched.items() if other != deploy]
        outcome = _judge(target, source, deploy, (*stretches, *others), good)
        if outcome.verdict is Verdict.passed and not deploy.placebo:
            good.insert(0, deploy.at.timestamp())
        yield outcome


def placebos(
    target: Target, number: int, start: datetime, end: datetime, cut: Iterable[tuple[datetime, datetime]]
) -> list[PastDeploy]:
    """`number` moments, evenly spread, whose watches touch no other and none of `cut`; fewer where there is no room."""
    length, busy = target.watch.bake_time, list(cut)
    free = []
    at = start
    while at + length <= end:
        hit = next((until for begin, until in busy if begin < at + length and at < until), None)
        if hit is None:
            free.append(at)
        at = at + length if hit is None else max(hit, at + timedelta(seconds=1))
    step = max(1.0, len(free) / number) if number else 1.0
    chosen = [free[int(n * step)] for n in range(number) if int(n * step) < len(free)]
    return [PastDeploy(target.name, "placebo", at, placebo=True) for at in chosen]


def _judge(
    target: Target, source: History, deploy: PastDeploy, cut: Sequence[tuple[float, float]], good: Sequence[float]
) -> Outcome:
    found: list[tuple[float, str, str]] = []
    said: list[str] = []
    missing: list[str] = []
    compared: dict[str, _Compared] = {}
    for rule in target.rules:
        try:
            if isinstance(rule.measure, CompareMeasure):
                compared[rule.name] = _compared(target, source, rule, deploy, cut, good)
            elif isinstance(rule.measure, PrometheusMeasure):
                tripped, words = _threshold(target, source, rule, deploy)
                said += [words] if words else []
                found += [(tripped, rule.name, words)] if tripped is not None else []
        except (Unavailable, Refused, BadTemplate) as error:
            missing.append(f"{rule.name}: {error}")
    failed = _together(target, compared)
    found += [failed] if failed is not None else []
    said += [c.findings[-1].sentence for c in compared.values() if c.findings and c.judges]
    missing += [c.why for c in compared.values() if not c.judges]
    given = {"target": deploy.target, "revision": deploy.revision, "at": deploy.at, "placebo": deploy.placebo}
    if found:
        seconds, name, words = min(found)
        return Outcome(**given, verdict=Verdict.failed, rule=name, seconds=seconds, reason=words)
    spoke = any(c.findings and c.findings[-1].verdict is Verdict.passed for c in compared.values())
    if spoke or (said and not compared):
        return Outcome(**given, verdict=Verdict.passed, reason="; ".join(said))
    reason = "; ".join([*missing, *said]) or "no rule could be asked of the past"
    return Outcome(**given, verdict=Verdict.inconclusive, reason=reason)


@dataclass(frozen=True)
class _Compared:
    """One compare rule over the looks of a watch."""

    rule: Rule
    ages: tuple[float, ...] = ()
    findings: tuple[Finding, ...] = ()
    why: str = ""

    @property
    def judges(self) -> bool:
        """Whether there was something to compare with."""
        return not self.why


def _compared(
    target: Target,
    source: History,
    rule: Rule,
    deploy: PastDeploy,
    cut: Sequence[tuple[float, float]],
    good: Sequence[float],
) -> _Compared:
    from watchdog.judge.compare.rule import interval_of, judge_rule  # noqa: PLC0415 -- numpy

    measure = _rendered(target, rule, deploy)
    assert isinstance(measure, CompareMeasure)
    began, length = deploy.at.timestamp(), target.watch.bake_time.total_seconds()
    asked = comparing.Question(
        rule=rule.name, measure=measure, deployed=began, began=began, now=began + length,
        setting=comparing.setting_of(target, rule), calibration=None, nothing_known=False, cut=tuple(cut),
        earlier=tuple(good[: comparing.EARLIER]), proving=False,
    )  # fmt: skip
    calibration: Calibration | None = comparing.calibrated(source, asked)
    if calibration is None:
        return _Compared(
            rule, why=f"{rule.name}: too little is remembered of the time before {deploy.at:%Y-%m-%d %H:%M}"
        )
    step = asked.setting.interval
    after = comparing.samples_of(source, measure, began - 2 * step, began + length, step)
    if not any(after.values()):
        return _Compared(rule, why=f"{rule.name}: nothing is remembered of the time after {deploy.at:%Y-%m-%d %H:%M}")
    setting = comparing.with_interval(asked.setting, interval_of(after, step))
    looks = max(1, int(length / setting.interval))
    ages, findings = [], []
    for look in range(1, looks + 1):
        now = began + look * setting.interval
        seen = {key: [s.within(began - 3 * step, now) for s in series] for key, series in after.items()}
        finding = judge_rule(rule.name, measure, calibration, seen, began, now, setting)
        ages.append(look * setting.interval)
        findings.append(finding)
    return _Compared(rule, tuple(ages), tuple(findings))


def _together(target: Target, compared: Mapping[str, _Compared]) -> tuple[float, str, str] | None:
    """The first look at which the pooled evidence fills the budget: (seconds, rule, reason)."""
    from watchdog.judge.compare.together import together  # noqa: PLC0415 -- numpy

    pooled = [c for c in compared.values() if c.findings]
    moments = sorted({age for c in pooled for age in c.ages})
    for moment in moments:
        latest = [
            c.findings[max(n for n, age in enumerate(c.ages) if age <= moment)] for c in pooled if c.ages[0] <= moment
        ]
        judged = together(latest, target.watch.false_rollback_budget)
        failing = next((f for f in judged.findings if f.verdict is Verdict.failed), None)
        if failing is not None:
            return moment, failing.rule, failing.sentence
    return None


def _threshold(target: Target, source: History, rule: Rule, deploy: PastDeploy) -> tuple[float | None, str]:
    """When the rule would have tripped, if it would; and what it said then, or at last."""
    measure = _rendered(target, rule, deploy)
    assert isinstance(measure, PrometheusMeasure)
    interval = rule.interval or target.watch.interval
    delay = rule.initial_delay if rule.initial_delay is not None else target.watch.initial_delay
    start, end = deploy.at + delay, deploy.at + target.watch.bake_time
    series = source.evaluate(measure.query, start, end, interval)
    progress = Progress()
    now = start
    while now <= end:
        observation = Observation(query=measure.query, samples=_at(series, now, interval))
        progress = advance(progress, rule, assess(rule, observation).outcome, now)
        if progress.tripped:
            return (now - deploy.at).total_seconds(), f"{rule.name}: {progress.trip_reason}"
        now += interval
    return None, f"{rule.name}: {progress.last_reason}" if progress.last is Verdict.passed else ""


def _at(series: Sequence[Series], now: datetime, interval: timedelta) -> tuple[Sample, ...]:
    """The samples at this step of a range query."""
    moment, half = now.timestamp(), interval.total_seconds() / 2
    near = ((s, s.within(moment - half, moment + half)) for s in series)
    return tuple(Sample(value=found.values[-1], labels=dict(s.labels)) for s, found in near if len(found))


def _rendered(target: Target, rule: Rule, deploy: PastDeploy) -> object:
    unknown = sorted(names_in(rule.measure) & set(UNREMEMBERED))
    if unknown:
        raise BadTemplate(f"{{{{ {unknown[0]} }}}} of a past deploy is not known")
    return render_all(rule.measure, context(target, deploy.revision, None))


def utc(text: str) -> datetime:
    """RFC 3339, with its zone. Raises ValueError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: write it as 2026-11-25T14:03:00Z")
    return at.astimezone(UTC)
