"""A target as the config file has it. The defaults are those of `watchdog.model.target`; the tests hold them equal."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from watchdog.model.base import format_duration
from watchdog.model.rule import Action, Mode
from watchdog.settings.fields import Form, Interval, Span, Text, Timeout, Vars
from watchdog.settings.measures import CommandForm, HttpForm, MeasureForm, TcpForm
from watchdog.settings.rule_form import HOW_OFTEN, NAME, RuleForm

Argv = Annotated[tuple[Text, ...], Field(min_length=1)]


class ComposeForm(Form):
    """A Docker Compose project."""

    project: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """The project's name, as `docker compose ls` shows it."""
    files: Annotated[tuple[Text, ...], Field(min_length=1)] = ("docker-compose.yml",)
    """The Compose files, in order, relative to `directory`."""
    directory: str = "."
    """The project's directory; relative to the config."""
    env_files: tuple[Text, ...] = ()
    """Files given with --env-file, relative to `directory`."""
    profiles: tuple[Text, ...] = ()
    """Profiles given with --profile."""
    docker_host: Annotated[str, Field(pattern=r"^(unix|tcp)://.+$")] | None = None
    """unix:///… or tcp://…; default: DOCKER_HOST, or the default socket."""


class HelmForm(Form):
    """A Helm release, or with `*` the releases of a namespace or of the cluster."""

    release: Annotated[str, Field(pattern=r"^(\*|[a-z0-9]([a-z0-9.-]{0,51}[a-z0-9])?)$")]
    """The release's name, as `helm list` shows it; `*`: every release there, those that come later too."""
    namespace: Annotated[str, Field(pattern=r"^(\*|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$")]
    """The release's namespace; `*`: every namespace, which needs rights in the whole cluster."""
    exclude: tuple[Text, ...] = ()
    """Releases that `*` leaves alone: RELEASE, or NAMESPACE/RELEASE."""
    kubeconfig: str | None = None
    """A kubeconfig, relative to the config; default: in-cluster rights, else KUBECONFIG or ~/.kube/config."""
    context: str | None = None
    """A context of the kubeconfig; default: its current one."""
    storage: Literal["secret", "configmap"] = "secret"
    """Where Helm keeps its releases: HELM_DRIVER."""
    helm: str = Field(default="helm", min_length=1)
    """The helm program, version 3 or 4: a name on the PATH, or a path."""
    pending_limit: Timeout = timedelta(minutes=15)
    """How long a release may be pending with nobody seen to work on it before it counts as abandoned."""

    @model_validator(mode="after")
    def _pattern(self) -> HelmForm:
        if self.exclude and "*" not in (self.release, self.namespace):
            raise ValueError('exclude goes with release: "*" or namespace: "*"')
        return self


class CommandTargetForm(Form):
    """Programs that stand for a platform: systemd, Nomad, a deploy script. Argument lists, never a shell."""

    status: Argv
    """Prints one JSON object: what runs now."""
    history: Argv
    """Prints a JSON list: the revisions there are, newest first."""
    rollback: Argv
    """Brings `{{ revision }}` back. Must be safe to run twice with the same revision."""
    logs: tuple[Text, ...] = ()
    """Prints what is worth keeping as evidence before a rollback; default: only `status` is kept."""
    directory: str | None = None
    """Where the programs run; relative to the config; default: the config's folder."""
    timeout: Timeout = timedelta(seconds=10)
    """The time limit of status, history and logs; that of rollback is `rollback.timeout`."""
    poll: Interval = timedelta(seconds=1)
    """How often status is asked for deploys."""


class WatchForm(Form):
    """How a deploy is watched."""

    bake_time: Timeout = timedelta(minutes=10)
    """How long a healthy watch lasts after the rollout settled."""
    initial_delay: Span = timedelta(seconds=15)
    """How long after the rollout settled rules are first measured. Crash and release rules don't wait."""
    interval: Interval = timedelta(seconds=5)
    """Time between two measurements of a rule."""
    rollout_timeout: Timeout = timedelta(minutes=5)
    """How long a deploy may be arriving before `release: never_ready` is true."""
    settle: Span = timedelta(seconds=3)
    """How long nothing may change before the rollout counts as finished."""
    max_extension: Span = timedelta(hours=1)
    """How much blind time may extend the watch; past that it is held for a person."""
    false_rollback_budget: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    """The share of good deploys that all `compare` rules together may roll back by chance."""
    unsure: Literal["hold", "pass"] = "hold"
    """`compare` rules that saw too little to speak for a deploy: hold it for a person, or let it pass."""
    hold_expires: Timeout = timedelta(hours=24)
    """How long a held watch waits for a person; then it ends, and the revision is not known good."""

    @model_validator(mode="after")
    def _room_to_measure(self) -> WatchForm:
        bake, delay, interval = (format_duration(d) for d in (self.bake_time, self.initial_delay, self.interval))
        if self.bake_time <= self.initial_delay:
            raise ValueError(f"bake_time {bake} must be longer than initial_delay {delay}: nothing would be measured")
        if self.bake_time - self.initial_delay < self.interval:
            raise ValueError(f"interval {interval} does not fit between initial_delay {delay} and bake_time {bake}")
        return self


class RollbackForm(Form):
    """How far the watchdog may go."""

    verify_for: Span = timedelta(seconds=30)
    """How long everything must pass, without a break, before the rollback counts as a recovery."""
    verify_timeout: Timeout = timedelta(minutes=2)
    """How long after the act that may take to begin; verify_for comes on top."""
    timeout: Timeout = timedelta(minutes=3)
    """The time limit of the rollback itself."""
    cooldown: Span = timedelta(minutes=30)
    """The least time between two automatic rollbacks of this target."""
    max_per_day: Annotated[int, Field(ge=0)] = 3
    """Automatic rollbacks in any 24 hours; 0: never automatically."""
    first_known_good: Literal["none", "running"] = "none"
    """`running` accepts what ran when the daemon first saw the target as known good."""
    rerun_one_shots: bool = False
    """Whether one-shot services (migrations) are run again by a rollback."""
    keep_revisions: Annotated[int, Field(ge=1, le=50)] = 5
    """How many known-good revisions keep their images."""
    on_migration: Literal["roll_back", "hold", "alert"] = "hold"
    """Helm: what is done where the deploy ran a migration hook and the tripped rule is not `reversible`."""
    gitops: Literal["alert", "suspend"] = "alert"
    """Helm: where Argo CD or Flux owns the release and would undo a rollback: only tell, or suspend the owner first."""


class ProbeForm(Form):
    """An active check: exactly one of http, tcp, command. It becomes the rule `probe-NAME`; verification asks too."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,55}[a-z0-9])?$")
    """Unique within the target."""
    http: HttpForm | None = None
    """A URL, or a mapping with more."""
    tcp: TcpForm | None = None
    """host:port"""
    command: CommandForm | None = None
    """A program and its arguments; exit code 0 is healthy."""
    timeout: Timeout | None = None
    """The longest one check may take."""
    interval: Interval | None = None
    """Time between checks; default: the target's `watch.interval`."""
    initial_delay: Span | None = None
    """Time from the settled rollout to the first check; default: the target's `watch.initial_delay`."""
    consecutive_failures: Annotated[int, Field(ge=1)] = 3
    """It trips when this many checks in a row failed."""
    action: Action = Action.rollback
    """What is done when it trips."""
    mode: Mode = Mode.enforce
    """`dry_run` judges and reports but decides nothing."""

    @model_validator(mode="after")
    def _one_check(self) -> ProbeForm:
        given = [key for key in ("http", "tcp", "command") if getattr(self, key) is not None]
        if len(given) != 1:
            has = " and ".join(given) or "none"
            raise ValueError(f"a probe has exactly one of http, tcp, command; this one has {has}")
        if self.timeout is not None and "timeout" in self.how.model_fields_set:
            raise ValueError(f"timeout is written twice: once here and once in {given[0]}")
        if not self.how.default_condition():
            raise ValueError("a probe is about success; write a rule for a command with `output: number`")
        return self

    @property
    def kind(self) -> str:
        """http, tcp or command."""
        return next(key for key in ("http", "tcp", "command") if getattr(self, key) is not None)

    @property
    def how(self) -> MeasureForm:
        """The one check it has."""
        form: MeasureForm = getattr(self, self.kind)
        return form


class OverrideForm(Form):
    """What is different in one rule of a pack. Thresholds are the pack's variables: set them in `vars`."""

    for_: Annotated[Span | None, Field(alias="for")] = None
    """Replaces how often the rule must fail."""
    failure_limit: Annotated[int | None, Field(ge=0)] = None
    """Replaces how often the rule must fail."""
    consecutive_failures: Annotated[int | None, Field(ge=1)] = None
    """Replaces how often the rule must fail."""
    consecutive_errors: Annotated[int | None, Field(ge=1)] = None
    """Replaces the rule's own."""
    interval: Interval | None = None
    """Replaces the rule's own."""
    initial_delay: Span | None = None
    """Replaces the rule's own."""
    action: Action | None = None
    """Replaces the rule's own."""
    mode: Mode | None = None
    """Replaces the rule's own."""
    reversible: bool | None = None
    """Replaces the rule's own."""

    @model_validator(mode="after")
    def _one_way(self) -> OverrideForm:
        given = [name for name, field in zip(HOW_OFTEN, self._how_often(), strict=True) if field is not None]
        if len(given) > 1:
            raise ValueError(f"a rule has at most one of {', '.join(HOW_OFTEN)}; this one has {' and '.join(given)}")
        return self

    def _how_often(self) -> tuple[Any, Any, Any]:
        return self.for_, self.failure_limit, self.consecutive_failures

    def update(self) -> dict[str, Any]:
        """The fields of `Rule` to replace."""
        given = {name: value for name, value in dict(self).items() if value is not None}
        if any(value is not None for value in self._how_often()):
            given = {"for_": None, "failure_limit": None, "consecutive_failures": None} | given
        return given


class PackForm(Form):
    """A rule pack: the name of a shipped one, or the path of a rule file (it ends in .yaml)."""

    short: ClassVar[str | None] = "pack"

    pack: str = Field(min_length=1)
    """crash, health, latency, errors, memory, cpu, or a file relative to the config."""
    except_: Annotated[tuple[str, ...], Field(alias="except")] = ()
    """Names of rules that are left out."""
    override: dict[str, OverrideForm] = {}
    """Rule's name → what is different in it."""


def _pack_or_rule(written: Any) -> str:
    is_pack = isinstance(written, (str, PackForm)) or (isinstance(written, dict) and "pack" in written)
    return "<pack>" if is_pack else "<rule>"


RuleEntry = Annotated[
    Annotated[PackForm, Tag("<pack>")] | Annotated[RuleForm, Tag("<rule>")], Discriminator(_pack_or_rule)
]


class TargetForm(Form):
    """What is guarded: exactly one of compose, helm, command."""

    name: str = Field(pattern=NAME)
    """Unique in this file; it is the target's name in commands, events and the store."""
    environment: str = Field(default="production", min_length=1)
    """production, staging, …; `watchdog rollback --environment` goes by it."""
    compose: ComposeForm | None = None
    """A Docker Compose project."""
    helm: HelmForm | None = None
    """A Helm release, or all of a namespace or cluster."""
    command: CommandTargetForm | None = None
    """Programs that stand for a platform."""
    vars: Vars = {}
    """Names for templates in rules and probes; they win over the defaults of rule packs."""
    rules: tuple[RuleEntry, ...] = ()
    """Rule packs by name, files by path, or rules written here."""
    probes: tuple[ProbeForm, ...] = ()
    """Active checks."""
    watch: WatchForm = WatchForm()
    """How a deploy is watched."""
    rollback: RollbackForm = RollbackForm()
    """How far the watchdog may go."""
    receivers: tuple[str, ...] | None = None
    """Names of receivers that are told; default: all of them."""
    mode: Mode = Mode.enforce
    """`dry_run` judges, reports and stores, but never rolls back."""

    @model_validator(mode="after")
    def _one_platform(self) -> TargetForm:
        given = [key for key in ("compose", "helm", "command") if getattr(self, key) is not None]
        if len(given) != 1:
            has = " and ".join(given) or "none"
            raise ValueError(f"a target has exactly one of compose, helm, command; this one has {has}")
        if not self.rules and not self.probes:
            raise ValueError("a target needs rules or probes: without any, every deploy would become known good")
        return self
