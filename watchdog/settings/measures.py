"""The ways of measuring as a rule's YAML has them, and what is filled in when a rule doesn't say."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from watchdog.model.comparison import CompareKind
from watchdog.model.rule import (
    AlertMeasure,
    CommandMeasure,
    CompareMeasure,
    CrashesMeasure,
    HttpMeasure,
    Measure,
    PrometheusMeasure,
    ReleaseMeasure,
    ScrapeMeasure,
    TcpMeasure,
)
from watchdog.settings.fields import Form, Text, Timeout, Url

PLATFORM_FAILS = "value >= 1"
PROBE_FAILS = "value < 1"


class MeasureForm(Form):
    """One way of measuring. `fails` is the condition when the rule has none; empty: the rule must say."""

    makes: ClassVar[type[BaseModel]]
    fails: ClassVar[str] = ""

    def measure(self) -> Measure:
        """The value the engine knows; its fields have the same names."""
        made: Measure = self.makes.model_validate(self.model_dump())  # type: ignore[assignment]
        return made

    def default_condition(self) -> str:
        """The `fail_when` of a rule that gives no condition; empty: there is no natural one."""
        return self.fails


class PrometheusForm(MeasureForm):
    """An instant query of Prometheus. Each series of the answer is one value."""

    makes: ClassVar[type[BaseModel]] = PrometheusMeasure
    short: ClassVar[str | None] = "query"

    query: str = Field(min_length=1)
    """PromQL. Templates may use the built-in names and the target's vars."""


class AlertForm(MeasureForm):
    """An alerting rule of Prometheus: one value of 1 per firing alert, 0 if none fires."""

    makes: ClassVar[type[BaseModel]] = AlertMeasure
    short: ClassVar[str | None] = "name"
    fails: ClassVar[str] = PLATFORM_FAILS

    name: str = Field(min_length=1)
    """The alert's name."""
    labels: dict[str, Text] = {}
    """Labels the alert must have."""


class RatioForm(Form):
    """increase(events) / increase(total), each summed over its series."""

    events: str = Field(min_length=1)
    """A selector of counters, such as http_requests_total{code=~"5.."}."""
    total: str = Field(min_length=1)
    """A selector of counters, such as http_requests_total."""


class QuantileForm(Form):
    """A quantile of a histogram's increase over the window."""

    buckets: str = Field(min_length=1)
    """A selector of buckets, such as http_request_duration_seconds_bucket."""
    q: float = Field(gt=0, lt=1)
    """0.99 for the 99th percentile."""


class ScrapeForm(MeasureForm):
    """A /metrics page read directly, for hosts without Prometheus. Exactly one of value, rate, ratio, quantile."""

    makes: ClassVar[type[BaseModel]] = ScrapeMeasure

    url: Url
    """The page."""
    value: str | None = Field(default=None, min_length=1)
    """A selector; each matching series is one value."""
    rate: str | None = Field(default=None, min_length=1)
    """A selector of counters; the value is their summed increase per second over `over`."""
    ratio: RatioForm | None = None
    """Two selectors of counters; the value is the share of events."""
    quantile: QuantileForm | None = None
    """A quantile of a histogram."""
    over: Timeout = timedelta(seconds=60)
    """The window of rate, ratio and quantile."""
    timeout: Timeout = timedelta(seconds=5)
    """The longest the page may take."""

    @model_validator(mode="after")
    def _one_way(self) -> ScrapeForm:
        if sum(x is not None for x in (self.value, self.rate, self.ratio, self.quantile)) != 1:
            raise ValueError("a scrape needs exactly one of value, rate, ratio, quantile")
        return self


class HttpForm(MeasureForm):
    """One HTTP request; the value is 1 if it is answered as expected in time, else 0."""

    makes: ClassVar[type[BaseModel]] = HttpMeasure
    short: ClassVar[str | None] = "url"
    fails: ClassVar[str] = PROBE_FAILS

    url: Url
    """What is asked."""
    method: Literal["GET", "HEAD", "POST"] = "GET"
    """The request's method."""
    status: tuple[Annotated[int, Field(ge=100, le=599)], ...] = ()
    """Accepted status codes; empty: any from 200 to 399."""
    contains: Text | None = None
    """Text the body must contain; its first MiB is read."""
    headers: dict[str, Text] = {}
    """Sent with the request. Stored with the rule: not the place for secrets."""
    timeout: Timeout = timedelta(seconds=2)
    """The longest the answer may take."""


def _address(text: str) -> str:
    if not re.fullmatch(r".+:(\d{1,5}|\{\{.*\}\})", text):
        raise ValueError("expected host:port, such as 127.0.0.1:5432")
    return text


class TcpForm(MeasureForm):
    """One TCP connection; the value is 1 if it is accepted in time, else 0."""

    makes: ClassVar[type[BaseModel]] = TcpMeasure
    short: ClassVar[str | None] = "address"
    fails: ClassVar[str] = PROBE_FAILS

    address: Annotated[str, AfterValidator(_address)]
    """host:port"""
    timeout: Timeout = timedelta(seconds=2)
    """The longest the connection may take."""


class CommandForm(MeasureForm):
    """A program and its arguments, no shell; the value is 1 for exit code 0, else 0, or the number it prints."""

    makes: ClassVar[type[BaseModel]] = CommandMeasure
    short: ClassVar[str | None] = "argv"
    short_type: ClassVar[type] = list

    argv: tuple[Text, ...] = Field(min_length=1)
    """The program and its arguments, as a list."""
    output: Literal["exit", "number"] = "exit"
    """`exit`: 1 for exit code 0, else 0. `number`: the number it prints."""
    timeout: Timeout = timedelta(seconds=10)
    """The longest it may run."""

    @model_validator(mode="before")
    @classmethod
    def _a_list(cls, written: Any) -> Any:
        if isinstance(written, str):
            raise ValueError("expected a list such as [curl, -f, http://…]: no shell is used")  # noqa: TRY004
        return written

    def default_condition(self) -> str:
        """A number that is printed can mean anything, so only exit codes have one."""
        return PROBE_FAILS if self.output == "exit" else ""


class CrashesForm(MeasureForm):
    """What the platform saw of the new revision, one value per service. Needs no metrics."""

    makes: ClassVar[type[BaseModel]] = CrashesMeasure
    short: ClassVar[str | None] = "count"
    fails: ClassVar[str] = PLATFORM_FAILS

    count: Literal["exits", "oom_kills", "unhealthy", "down"]
    """exits: abnormal exits since the deploy; oom_kills: those by the out-of-memory killer; unhealthy: instances whose
    health check fails; down: instances that ended abnormally and are not running."""


class ReleaseForm(MeasureForm):
    """Whether the rollout itself failed (1) or not (0)."""

    makes: ClassVar[type[BaseModel]] = ReleaseMeasure
    short: ClassVar[str | None] = "state"
    fails: ClassVar[str] = PLATFORM_FAILS

    state: Literal["failed", "never_ready"]
    """failed: the platform or a one-shot service says so; never_ready: still arriving after `watch.rollout_timeout`."""


class CompareForm(MeasureForm):
    """The new version against the one before. Has no condition: it fails where the evidence fills the budget."""

    makes: ClassVar[type[BaseModel]] = CompareMeasure

    kind: CompareKind
    """ratio: events of total; latency: requests above bucket edges; level: a gauge that is higher (or lower) than it
    was; growth: a gauge that climbs towards its limit."""
    events: str | None = Field(default=None, min_length=1)
    """ratio: a selector of counters, such as http_requests_total{code=~"5.."}."""
    total: str | None = Field(default=None, min_length=1)
    """ratio: a selector of counters, such as http_requests_total."""
    buckets: str | None = Field(default=None, min_length=1)
    """latency: a selector of buckets, such as http_request_duration_seconds_bucket, or of a native histogram."""
    query: str | None = Field(default=None, min_length=1)
    """level, growth: an expression whose value is a gauge."""
    worse: Literal["higher", "lower"] = "higher"
    """level: which direction is bad."""
    per: str | None = Field(default=None, min_length=1)
    """level: an expression for the work that is done, such as requests a second: the gauge per unit of it must have got
    worse too. Where it has no samples, the gauge alone counts."""
    limit: str | None = Field(default=None, min_length=1)
    """growth: an expression for what must not be reached, such as the container's memory limit."""
    horizon: Timeout = timedelta(hours=24)
    """growth: a limit that is reached later than this is told, and never rolls back."""
    scrape: Url | None = None
    """A /metrics page that is read directly, and whose history the store keeps; default: Prometheus."""

    @model_validator(mode="after")
    def _one_way(self) -> CompareForm:
        self.measure()
        return self

    def measure(self) -> Measure:
        """The value the engine knows."""
        return CompareMeasure.model_validate({**self.model_dump(exclude={"kind"}), "signal": self.kind})


MEASURES = ("prometheus", "alert", "scrape", "http", "tcp", "command", "crashes", "release", "compare")
"""The keys of a rule of which it has exactly one."""
