"""A rule: what is measured, when that fails, how often it must fail, and what then."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from watchdog.model.base import Duration, Value
from watchdog.model.comparison import CompareKind


class Trigger(StrEnum):
    """The kinds of trouble the rollback guide lists; reports group rules by it."""

    crash = "crash"
    health = "health"
    performance = "performance"
    errors = "errors"
    database = "database"
    security = "security"
    bug = "bug"


class Action(StrEnum):
    """What is done when a rule trips."""

    rollback = "rollback"
    hold = "hold"
    alert = "alert"


class Mode(StrEnum):
    """`dry_run` judges and reports but changes nothing."""

    enforce = "enforce"
    dry_run = "dry_run"


class PrometheusMeasure(Value):
    """An instant query. Each series of the answer is one sample."""

    kind: Literal["prometheus"] = "prometheus"
    query: str = Field(min_length=1)


class AlertMeasure(Value):
    """A Prometheus alert by name: one sample of 1 per firing alert, 0 if none fires."""

    kind: Literal["alert"] = "alert"
    name: str = Field(min_length=1)
    labels: dict[str, str] = {}


class Ratio(Value):
    """Two selectors of counters; the value is increase(events)/increase(total), summed over their series."""

    events: str
    total: str


class Quantile(Value):
    """A selector of histogram buckets (`…_bucket`) and q in (0, 1): the quantile of the window's increase, as
    Prometheus' histogram_quantile interpolates it."""

    buckets: str
    q: float = Field(gt=0, lt=1)


class ScrapeMeasure(Value):
    """A /metrics page read directly, for hosts without Prometheus. Exactly one of `value` (each matching series is a
    sample), `rate` (summed increase per second), `ratio`, `quantile`; the last three over the window `over`."""

    kind: Literal["scrape"] = "scrape"
    url: str
    value: str | None = None
    rate: str | None = None
    ratio: Ratio | None = None
    quantile: Quantile | None = None
    over: Duration = timedelta(seconds=60)
    timeout: Duration = timedelta(seconds=5)

    @model_validator(mode="after")
    def _one_way(self) -> ScrapeMeasure:
        if sum(x is not None for x in (self.value, self.rate, self.ratio, self.quantile)) != 1:
            raise ValueError("a scrape needs exactly one of value, rate, ratio, quantile")
        return self


class HttpMeasure(Value):
    """One request. The value is 1 if it answered as expected in time, else 0; the labels say what it answered."""

    kind: Literal["http"] = "http"
    url: str
    method: Literal["GET", "HEAD", "POST"] = "GET"
    status: tuple[int, ...] = ()
    """Accepted status codes; empty: any from 200 to 399."""
    contains: str | None = None
    """Text the body must contain (its first MiB is read)."""
    headers: dict[str, str] = {}
    timeout: Duration = timedelta(seconds=2)


class TcpMeasure(Value):
    """One connection to `host:port`. The value is 1 if it was accepted in time, else 0."""

    kind: Literal["tcp"] = "tcp"
    address: str
    timeout: Duration = timedelta(seconds=2)


class CommandMeasure(Value):
    """One program, no shell. The value is 1 for exit code 0, else 0; or, with `output: number`, the number printed."""

    kind: Literal["command"] = "command"
    argv: tuple[str, ...] = Field(min_length=1)
    output: Literal["exit", "number"] = "exit"
    timeout: Duration = timedelta(seconds=10)


class CrashesMeasure(Value):
    """What the platform saw of the new revision, one sample per service. `exits`: abnormal exits since the deploy;
    `oom_kills`: those by the out-of-memory killer; `unhealthy`: instances whose health check fails; `down`: instances
    that ended abnormally and are not running."""

    kind: Literal["crashes"] = "crashes"
    count: Literal["exits", "oom_kills", "unhealthy", "down"] = "exits"


class ReleaseMeasure(Value):
    """1 if the rollout is in that state, else 0. `failed`: the platform or a one-shot service says it failed;
    `never_ready`: still arriving after the rollout's time limit."""

    kind: Literal["release"] = "release"
    state: Literal["failed", "never_ready"] = "failed"


class CompareMeasure(Value):
    """The new version against the one before, by the statistics of judge/compare. What is asked depends on `signal`:

    ratio: selectors of counters, `events` and `total`. latency: a selector of histogram buckets (`…_bucket`, or a
    native histogram). level, growth: `query`, an expression whose value is a gauge; growth with the `limit` it must
    not reach, level with the work that it is used for (`per`), expressions too. From Prometheus, or from a /metrics
    page (`scrape`), whose history the store keeps.
    """

    kind: Literal["compare"] = "compare"
    signal: CompareKind
    events: str | None = None
    total: str | None = None
    buckets: str | None = None
    query: str | None = None
    worse: Literal["higher", "lower"] = "higher"
    per: str | None = None
    limit: str | None = None
    horizon: Duration = timedelta(hours=24)
    """Growth that reaches the limit later than this is told, and never rolls back."""
    scrape: str | None = None
    """The page's URL; None: Prometheus."""

    @model_validator(mode="after")
    def _complete(self) -> CompareMeasure:
        needs = COMPARE_NEEDS[self.signal]
        given = {name for name in ("events", "total", "buckets", "query") if getattr(self, name) is not None}
        if given != set(needs):
            has = " and ".join(sorted(given)) or "none of them"
            raise ValueError(f"{self.signal.value} compares {' and '.join(needs)}; this one has {has}")
        if self.limit is not None and self.signal is not CompareKind.growth:
            raise ValueError("limit goes with growth")
        if self.per is not None and self.signal is not CompareKind.level:
            raise ValueError("per goes with level")
        return self

    @property
    def selectors(self) -> dict[str, str]:
        """The selectors of raw counters, by their key; empty for level and growth."""
        return {name: getattr(self, name) for name in ("events", "total", "buckets") if getattr(self, name)}


COMPARE_NEEDS = {
    CompareKind.ratio: ("events", "total"),
    CompareKind.latency: ("buckets",),
    CompareKind.level: ("query",),
    CompareKind.growth: ("query",),
}

Measure = Annotated[
    PrometheusMeasure
    | AlertMeasure
    | ScrapeMeasure
    | HttpMeasure
    | TcpMeasure
    | CommandMeasure
    | CrashesMeasure
    | ReleaseMeasure
    | CompareMeasure,
    Field(discriminator="kind"),
]

PROBE_KINDS = ("http", "tcp", "command")
PLATFORM_KINDS = ("crashes", "release")


class Rule(Value):
    """One rule, as the engine runs it (the YAML form is read by `settings`).

    Exactly one of `for_`, `failure_limit`, `consecutive_failures` is set. At least one of `fail_when`, `pass_when` is,
    but for `compare`, which has neither: it fails where its evidence fills the budget.
    """

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")
    trigger: Trigger
    summary: str
    measure: Measure
    fail_when: str | None = None
    pass_when: str | None = None
    for_: Duration | None = None
    failure_limit: int | None = Field(default=None, ge=0)
    consecutive_failures: int | None = Field(default=None, ge=1)
    consecutive_errors: int = Field(default=4, ge=1)
    interval: Duration | None = None
    """Time between measurements; None: the target's `watch.interval`."""
    initial_delay: Duration | None = None
    """Time after the rollout settled before the first measurement; None: the target's. Crash and release rules
    are measured from the first moment whatever it is."""
    action: Action = Action.rollback
    mode: Mode = Mode.enforce
    reversible: bool = False
    """True: what this rule is about is undone by a rollback even where the deploy ran a migration."""
    probe: bool = False
    """True for a rule made from the target's `probes`: verification always asks it."""

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        if self.fail_when is None and self.pass_when is None and self.measure.kind != "compare":
            raise ValueError("a rule needs fail_when, pass_when or both")
        if sum(x is not None for x in (self.for_, self.failure_limit, self.consecutive_failures)) != 1:
            raise ValueError("a rule has exactly one of for, failure_limit, consecutive_failures")
        return self
