"""`watchdog test-rules`: rules tried on written series, with the code and the words that the daemon judges with.

A test file names rules, what their query would return at each measurement, and what must follow. Nothing is measured
and no time passes: the watch opens, settled, at the first measurement, which `after` counts from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from watchdog.errors import BadConfig
from watchdog.judge.assess import assess
from watchdog.judge.decide import decide
from watchdog.judge.notation import read_series
from watchdog.judge.window import advance
from watchdog.model.base import format_duration
from watchdog.model.measurement import Observation, Verdict
from watchdog.model.rule import Action, CompareMeasure, Mode, Rule, Trigger
from watchdog.model.target import WatchPolicy
from watchdog.model.watch import Decision, DecisionKind, Progress, Watch, WatchState
from watchdog.rehearse_compare import observations
from watchdog.settings.fields import Form, Interval, Span, Text, Timeout, Vars
from watchdog.settings.rules import read_rule_file, read_rules
from watchdog.settings.wording import suggestion
from watchdog.settings.yaml import Document, read

BEGAN = datetime(2000, 1, 1, tzinfo=UTC)
"""When every rehearsal begins; only differences of time matter."""


@dataclass(frozen=True)
class CaseResult:
    """What became of one test. `differences` has a line for each expectation that was not met, in words."""

    file: str
    line: int
    name: str
    rule: str
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


def rehearse(paths: Sequence[Path]) -> tuple[CaseResult, ...]:
    """Run the tests of these files, in order. Raises BadConfig with one line per problem of any of the files."""
    results: list[CaseResult] = []
    problems: list[str] = []
    for path in paths:
        try:
            results += _run_file(path)
        except BadConfig as error:
            problems.append(str(error))
    if problems:
        raise BadConfig("\n".join(problems))
    return tuple(results)


def _quoted(written: Any) -> Any:
    if isinstance(written, list):
        raise ValueError('write values that begin with [ in quotes: values: "[1 2 3] [1 2 9]x4"')  # noqa: TRY004
    return written


class ExpectForm(Form):
    """What must be true so long after the first measurement."""

    after: Span | None = None
    """The newest measurement at or before then is meant."""
    within: Span | None = None
    """Any measurement at or before then is meant."""
    verdict: Verdict
    """Its verdict: pass, fail, inconclusive or error."""
    decision: DecisionKind | None = None
    """The decision then: continue, pass, rollback, hold or alert. Once it is not continue it stays."""
    reason: Text | None = None
    """Text that the verdict's reason must contain."""

    @model_validator(mode="after")
    def _one_time(self) -> ExpectForm:
        if (self.after is None) == (self.within is None):
            raise ValueError("an expectation has exactly one of after and within")
        return self

    @property
    def at(self) -> timedelta:
        """The time that is meant, from the first measurement on."""
        when = self.after if self.after is not None else self.within
        assert when is not None
        return when


class CaseForm(Form):
    """One test of one rule."""

    name: Text
    rule: Text
    values: Annotated[Text | dict[str, Text], BeforeValidator(_quoted)]
    """What the query returned at each measurement, in promtool's notation. For `compare`: as scraped after the deploy,
    by key."""
    baseline: Text | dict[str, Text] | None = None
    """For `compare`: as scraped up to the deploy, one sample an interval."""
    expect: Annotated[list[ExpectForm], Field(min_length=1)]


class RehearsalForm(Form):
    """A file of tests."""

    rule_files: list[Text] = []
    """Relative to this file."""
    rules: list[object] = []
    """Rules written here."""
    vars: Vars = {}
    """Over the rule files' defaults. Only those that conditions use are needed: no query is asked."""
    interval: Interval = timedelta(seconds=5)
    """Time between measurements."""
    bake_time: Timeout = WatchPolicy().bake_time
    tests: Annotated[list[CaseForm], Field(min_length=1)]


def _run_file(path: Path) -> Iterator[CaseResult]:
    document = read(path)
    form = document.validate(RehearsalForm)
    rules = _rules(document, form, path)
    ready = [(index, case, *_ready(document, form, index, case, rules)) for index, case in enumerate(form.tests)]
    for index, case, rule, answers in ready:
        seen = _Rehearsal(rule, form, answers)
        differences = tuple(line for expected in case.expect for line in seen.differences(expected))
        line = document.locate(("tests", index))[1].line
        yield CaseResult(document.name, line, case.name, rule.name, differences)


def _rules(document: Document, form: RehearsalForm, path: Path) -> dict[str, Rule]:
    """All rules by name. Raises BadConfig."""
    found: list[tuple[tuple[str | int, ...], Rule]] = []
    variables: dict[str, str] = {}
    for index, name in enumerate(form.rule_files):
        file = read_rule_file(path.parent / name, form.vars, asked=False)
        variables |= file.vars
        found += [(("rule_files", index), rule) for rule in file.rules]
    if form.rules:
        own = read_rules(document, ("rules",), {**variables, **form.vars}, asked=False)
        found += [(("rules", index), rule) for index, rule in enumerate(own)]
    rules: dict[str, Rule] = {}
    for at, rule in found:
        if rule.name in rules:
            raise BadConfig(document.problem(at, f"a rule {rule.name} is already there"))
        rules[rule.name] = rule
    return rules


def _ready(
    document: Document, form: RehearsalForm, index: int, case: CaseForm, rules: Mapping[str, Rule]
) -> tuple[Rule, tuple[Observation, ...]]:
    """The rule and the observations of one test. Raises BadConfig with the place of what is wrong."""
    at: tuple[str | int, ...] = ("tests", index)
    if case.rule not in rules:
        known = ", ".join(rules) or "none: add rule_files or rules"
        text = f"there is no rule {case.rule!r}; {suggestion(case.rule, rules)}known rules: {known}"
        raise BadConfig(document.problem((*at, "rule"), text))
    try:
        answers = _observations(case, rules[case.rule], form)
    except BadConfig as error:
        raise BadConfig(document.problem((*at, "values"), str(error))) from None
    last = (len(answers) - 1) * form.interval
    for place, expected in enumerate(case.expect):
        if expected.at >= last + form.interval:
            text = f"the values end {format_duration(last)} after the first; write more of them"
            key = "after" if expected.after is not None else "within"
            raise BadConfig(document.problem((*at, "expect", place, key), text))
    return rules[case.rule], answers


def _observations(case: CaseForm, rule: Rule, form: RehearsalForm) -> tuple[Observation, ...]:
    if isinstance(rule.measure, CompareMeasure):
        if case.baseline is None:
            raise BadConfig("a compare rule needs a baseline: what was scraped up to the deploy")
        what = "errors" if rule.trigger is Trigger.errors else "requests" if rule.measure.buckets else rule.name
        return observations(rule.name, what, rule.measure, case.baseline, case.values, form.interval, form.bake_time)
    if not isinstance(case.values, str) or case.baseline is not None:
        raise BadConfig(f"{rule.name} compares nothing: write values as one text, and no baseline")
    return read_series(case.values)


class _Rehearsal:
    """One rule over its observations: what was true at each measurement."""

    def __init__(self, rule: Rule, form: RehearsalForm, observations: Sequence[Observation]) -> None:
        self._rule = rule
        self._interval = form.interval
        self._policy = WatchPolicy(bake_time=form.bake_time, interval=form.interval)
        self._progress: list[Progress] = []
        self._decisions: list[Decision] = []
        progress, decision = Progress(), Decision(kind=DecisionKind.proceed, reason="")
        for number, observation in enumerate(observations):
            now = BEGAN + number * form.interval
            progress = advance(progress, rule, assess(rule, observation).outcome, now)
            decision = self._decide(progress, now, decision)
            self._progress.append(progress)
            self._decisions.append(decision)

    def differences(self, expected: ExpectForm) -> Iterator[str]:
        """What is not as expected, in words with the reasons."""
        number = expected.at // self._interval
        if expected.within is not None:
            number = next((n for n in range(number) if self._is(expected, n)), number)
        progress, when = self._progress[number], f"{'after' if expected.after is not None else 'within'} "
        when += format_duration(expected.at)
        decision = self._decide(progress, BEGAN + expected.at, self._decisions[number])
        assert progress.last is not None
        if progress.last is not expected.verdict:
            yield f"{when}: expected verdict {expected.verdict}, got {progress.last} ({progress.last_reason})"
        if expected.decision not in (None, decision.kind):
            yield f"{when}: expected decision {expected.decision}, got {decision.kind} ({decision.reason})"
        if expected.reason is not None and expected.reason not in progress.last_reason:
            yield f"{when}: expected a reason with {expected.reason!r}, got {progress.last_reason!r}"

    def _is(self, expected: ExpectForm, number: int) -> bool:
        progress, decision = self._progress[number], self._decisions[number]
        return progress.last is expected.verdict and expected.decision in (None, decision.kind)

    def _decide(self, progress: Progress, now: datetime, before: Decision) -> Decision:
        """The decision now: a watch that ended stays ended; an alert is said where the watch itself just goes on."""
        if before.kind not in (DecisionKind.proceed, DecisionKind.alert):
            return before
        watch = Watch(
            id="rehearsal",
            target="rehearsal",
            environment="rehearsal",
            platform="rehearsal",
            revision="r1",
            fingerprint="r1",
            state=WatchState.watching,
            opened_at=BEGAN,
            settled_at=BEGAN,
            changed_at=BEGAN,
            seen_at=now,
            progress={self._rule.name: progress},
        )
        decision = decide(watch, [self._rule], self._policy, now)
        told = self._rule.action is Action.alert and self._rule.mode is Mode.enforce and progress.tripped
        if told:
            return Decision(kind=DecisionKind.alert, reason=progress.trip_reason, rules=(self._rule.name,))
        return decision
