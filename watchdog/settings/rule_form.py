"""A rule as a file has it: its keys, what they mean, and what can't be together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from watchdog.model.comparison import CompareKind
from watchdog.model.rule import PLATFORM_KINDS, PROBE_KINDS, Action, Mode, Rule, Trigger
from watchdog.settings.fields import Form, Interval, Span, Text
from watchdog.settings.measures import (
    MEASURES,
    AlertForm,
    CommandForm,
    CompareForm,
    CrashesForm,
    HttpForm,
    MeasureForm,
    PrometheusForm,
    ReleaseForm,
    ScrapeForm,
    TcpForm,
)

NAME = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
"""Lower-case letters, digits, dots, underscores and dashes; at most 63 characters."""

HOW_OFTEN = ("for", "failure_limit", "consecutive_failures")

COMPARED = {
    CompareKind.ratio: (Trigger.errors, "more often than with the version before"),
    CompareKind.latency: (Trigger.performance, "slower than with the version before"),
    CompareKind.level: (Trigger.performance, "not what it was with the version before"),
    CompareKind.growth: (Trigger.performance, "grows towards its limit"),
}
"""What a compare rule says of itself where the file does not: its kind is enough."""


def _needed_but_to_compare(schema: dict[str, Any]) -> None:
    """In the JSON Schema: a compare rule needs no trigger and no summary, all others do."""
    schema["required"] = [key for key in schema["required"] if key not in ("trigger", "summary")]
    schema["anyOf"] = [{"required": ["compare"]}, {"required": ["trigger", "summary"]}]


class RuleForm(Form):
    """One rule: one way of measuring, one way of failing, and what then."""

    model_config = ConfigDict(json_schema_extra=_needed_but_to_compare)

    name: str = Field(pattern=NAME)
    """Unique within a target."""
    trigger: Trigger
    """The kind of trouble; reports group rules by it. A compare rule may leave it out: errors for a ratio, else
    performance."""
    summary: Text
    """One line for people: what is wrong when the rule trips. A compare rule may leave it out."""
    prometheus: PrometheusForm | None = None
    """An instant query of Prometheus (PromQL)."""
    alert: AlertForm | None = None
    """An alerting rule of Prometheus, by name."""
    scrape: ScrapeForm | None = None
    """A /metrics page read directly."""
    http: HttpForm | None = None
    """An HTTP request."""
    tcp: TcpForm | None = None
    """A TCP connection."""
    command: CommandForm | None = None
    """A program and its arguments."""
    crashes: CrashesForm | None = None
    """Crashes as the platform sees them."""
    release: ReleaseForm | None = None
    """The rollout's own failure."""
    compare: CompareForm | None = None
    """The new version against the one before."""
    fail_when: Text | None = None
    """A CEL condition on `value` or `values`: true is a failure. It may use vars, as templates."""
    pass_when: Text | None = None
    """A CEL condition: true is a pass. With one of the two, the other is its opposite."""
    for_: Annotated[Span | None, Field(alias="for")] = None
    """It must fail at every measurement for this long before it trips."""
    failure_limit: Annotated[int | None, Field(ge=0)] = None
    """It trips when more than this many measurements failed in all."""
    consecutive_failures: Annotated[int | None, Field(ge=1)] = None
    """It trips when this many measurements in a row failed."""
    consecutive_errors: int = Field(default=4, ge=1)
    """After this many errors of the source in a row people are told that the watch is blind."""
    interval: Interval | None = None
    """Time between measurements; default: the target's `watch.interval`."""
    initial_delay: Span | None = None
    """Time from the settled rollout to the first measurement; default: the target's `watch.initial_delay`."""
    action: Action = Action.rollback
    """What is done when the rule trips."""
    mode: Mode = Mode.enforce
    """`dry_run` judges and reports but decides nothing."""
    reversible: bool = False
    """Whether a rollback undoes what this rule is about even where the deploy ran a migration (Helm hooks)."""

    @model_validator(mode="before")
    @classmethod
    def _told_by_its_kind(cls, written: Any) -> Any:
        compare = written.get("compare") if isinstance(written, Mapping) else None
        kind = compare.get("kind") if isinstance(compare, Mapping) else None
        if not isinstance(kind, str) or kind not in set(CompareKind):
            return written
        trigger, words = COMPARED[CompareKind(kind)]
        return {"trigger": trigger.value, "summary": f"{written.get('name')}: {words}", **written}

    @model_validator(mode="after")
    def _complete(self) -> RuleForm:
        measures = [key for key in MEASURES if getattr(self, key) is not None]
        if len(measures) != 1:
            has = " and ".join(measures) or "none"
            raise ValueError(f"a rule has exactly one of {', '.join(MEASURES)}; this one has {has}")
        ways = [key for key in HOW_OFTEN if getattr(self, "for_" if key == "for" else key) is not None]
        if len(ways) > 1:
            raise ValueError(f"a rule has at most one of {', '.join(HOW_OFTEN)}; this one has {' and '.join(ways)}")
        if self.compare is not None:
            self._compares(ways)
        elif self.fail_when is None and self.pass_when is None and not self.how.default_condition():
            raise ValueError(f"a {measures[0]} rule needs fail_when or pass_when, such as `fail_when: value > 1.0`")
        return self

    def _compares(self, ways: Sequence[str]) -> None:
        """Its evidence is weighed at every look already."""
        given = [*ways, *(key for key in ("fail_when", "pass_when") if getattr(self, key) is not None)]
        if given:
            raise ValueError(f"a compare rule decides by its evidence: take {' and '.join(given)} out")

    @property
    def how(self) -> MeasureForm:
        """The one way of measuring it has."""
        found: MeasureForm = next(form for key in MEASURES if (form := getattr(self, key)) is not None)
        return found

    def rule(self, *, summary: str, fail_when: str | None, pass_when: str | None) -> Rule:
        """The rule as the engine runs it, with its texts filled in and its defaults set."""
        measure, for_, consecutive = self.how.measure(), self.for_, self.consecutive_failures
        if for_ is None and consecutive is None and self.failure_limit is None:
            if measure.kind in PLATFORM_KINDS or measure.kind == "compare":
                consecutive = 1
            elif measure.kind in PROBE_KINDS:
                consecutive = 3
            else:
                for_ = timedelta(seconds=30)
        if fail_when is None and pass_when is None and measure.kind != "compare":
            fail_when = self.how.default_condition()
        return Rule(
            name=self.name,
            trigger=self.trigger,
            summary=summary,
            measure=measure,
            fail_when=fail_when,
            pass_when=pass_when,
            for_=for_,
            failure_limit=self.failure_limit,
            consecutive_failures=consecutive,
            consecutive_errors=self.consecutive_errors,
            interval=self.interval,
            initial_delay=self.initial_delay,
            action=self.action,
            mode=self.mode,
            reversible=self.reversible,
        )
