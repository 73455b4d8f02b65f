"""From an observation to a verdict: what one measurement of one rule means, and why.

Pure and total: whatever the source answered, there is a verdict with its reason. Only numbers can fail; an error, no
series and NaN never do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from watchdog.errors import BadCondition
from watchdog.judge.conditions import Condition, compile_condition
from watchdog.model.measurement import KEPT_SAMPLES, Observation, Outcome, Sample, Verdict
from watchdog.model.rule import Rule

_NAMED = 5
"""How many numbers of a list a reason names."""
_LABELS_SHOWN = 200
"""Characters of one series' labels in a reason."""


@dataclass(frozen=True)
class Assessment:
    """A verdict, and what it was given for."""

    outcome: Outcome
    samples: tuple[Sample, ...] = ()
    """At most KEPT_SAMPLES: failing ones first, then those that neither fail nor pass."""
    series: int = 0
    """How many samples the source answered, NaN included."""


def assess(rule: Rule, observation: Observation) -> Assessment:
    """Judge one observation by the rule's conditions; never raises.

    With one condition the other is its opposite. With both: both false is inconclusive, both true fails. A condition
    on `value` is asked of every series: one that fails, fails the measurement. A condition on `values` sees the list.
    A `compare` rule's finding has its verdict already; any other's is only lent.
    """
    kept, series = observation.samples[:KEPT_SAMPLES], len(observation.samples)
    if observation.error is not None:
        return Assessment(Outcome(verdict=Verdict.error, reason=observation.error), kept, series)
    if observation.finding is not None and rule.measure.kind == "compare":
        found = observation.finding
        return Assessment(Outcome(verdict=found.verdict, reason=found.sentence), kept, series)
    numbers = [sample for sample in observation.samples if not math.isnan(sample.value)]
    if not numbers:
        return Assessment(Outcome(verdict=Verdict.inconclusive, reason=_no_data(series)), kept, series)
    try:
        fails = _asked(rule.fail_when, numbers)
        passes = _asked(rule.pass_when, numbers)
    except BadCondition as error:
        return Assessment(Outcome(verdict=Verdict.error, reason=str(error)), kept, series)
    return _judge(numbers, series, fails, passes)


@dataclass(frozen=True)
class _Asked:
    """A condition and its answer for each number, or (about `values`) one answer for them all."""

    condition: Condition
    answers: tuple[bool, ...]

    @property
    def of_each(self) -> bool:
        return self.condition.uses == "value"


def _asked(text: str | None, numbers: Sequence[Sample]) -> _Asked | None:
    if text is None:
        return None
    condition = compile_condition(text)
    if condition.uses == "value":
        return _Asked(condition, tuple(condition.holds(sample.value) for sample in numbers))
    return _Asked(condition, (condition.holds([sample.value for sample in numbers]),))


def _judge(numbers: Sequence[Sample], series: int, fails: _Asked | None, passes: _Asked | None) -> Assessment:
    failing = _failing(numbers, fails, passes)
    if failing is not None:
        because = fails if fails is not None and any(fails.answers) else passes
        assert because is not None
        reason = _why_failed(numbers, failing, because, holds=because is fails)
        return Assessment(Outcome(verdict=Verdict.failed, reason=reason), _kept(numbers, failing), series)
    if fails is not None and passes is not None and not all(passes.answers):
        open_ = [s for s, yes in zip(numbers, passes.answers, strict=True) if not yes] if passes.of_each else []
        which = f"{_named(open_[0])}{_of(len(open_), len(numbers))}" if open_ else _listed(numbers)
        reason = f"{which}: neither {fails.condition.text} nor {passes.condition.text}"
        return Assessment(Outcome(verdict=Verdict.inconclusive, reason=reason), _kept(numbers, open_), series)
    asked = passes or fails
    assert asked is not None
    says = asked.condition.text if asked is passes else f"not ({asked.condition.text})"
    return Assessment(
        Outcome(verdict=Verdict.passed, reason=f"{_range(numbers) if asked.of_each else _listed(numbers)}: {says}"),
        _kept(numbers, []),
        series,
    )


def _failing(numbers: Sequence[Sample], fails: _Asked | None, passes: _Asked | None) -> list[Sample] | None:
    """The samples that fail (empty when it is the list as a whole); None when nothing fails."""
    if fails is not None:
        if not any(fails.answers):
            return None
        return [s for s, yes in zip(numbers, fails.answers, strict=True) if yes] if fails.of_each else []
    assert passes is not None
    if all(passes.answers):
        return None
    return [s for s, yes in zip(numbers, passes.answers, strict=True) if not yes] if passes.of_each else []


def _why_failed(numbers: Sequence[Sample], failing: Sequence[Sample], because: _Asked, *, holds: bool) -> str:
    says = because.condition.text if holds else f"not ({because.condition.text})"
    if failing:
        return f"{_named(failing[0])}: {says}{_of(len(failing), len(numbers), '; ')}"
    return f"{_listed(numbers)}: {says}"


def _no_data(series: int) -> str:
    if not series:
        return "no data: the query returned no series"
    return "no data: only NaN" if series == 1 else f"no data: only NaN, in all {series} series"


def _kept(numbers: Sequence[Sample], first: Sequence[Sample]) -> tuple[Sample, ...]:
    if not first:
        return tuple(numbers[:KEPT_SAMPLES])
    leading = set(map(id, first))
    rest = (sample for sample in numbers if id(sample) not in leading)
    return (*first, *rest)[:KEPT_SAMPLES]


def _of(some: int, every: int, before: str = ", ") -> str:
    return "" if every == 1 else f"{before}{some} of {every} series"


def _named(sample: Sample) -> str:
    """`0.12 for {code="500"}`, or the number alone."""
    if not sample.labels:
        return number(sample.value)
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
    if len(labels) > _LABELS_SHOWN:
        labels = labels[:_LABELS_SHOWN] + "…"
    return f"{number(sample.value)} for {{{labels}}}"


def _range(numbers: Sequence[Sample]) -> str:
    if len(numbers) == 1:
        return _named(numbers[0])
    lowest, highest = min(s.value for s in numbers), max(s.value for s in numbers)
    if lowest == highest:
        return f"{number(lowest)} in all {len(numbers)} series"
    return f"{number(lowest)} to {number(highest)} in {len(numbers)} series"


def _listed(numbers: Sequence[Sample]) -> str:
    shown = ", ".join(number(sample.value) for sample in numbers[:_NAMED])
    return f"[{shown}]" if len(numbers) <= _NAMED else f"[{shown}, …] ({len(numbers)} series)"


def number(value: float) -> str:
    """A number as people read it: at most six digits, `+Inf` as Prometheus writes it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}"
