"""A target: what is guarded, by which rules, and how far the watchdog may go."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from watchdog.model.base import Duration, Value
from watchdog.model.rule import Mode, Rule


class ComposeSpec(Value):
    """A Docker Compose project, as `docker compose -p PROJECT -f FILE… --project-directory DIRECTORY` sees it."""

    kind: Literal["compose"] = "compose"
    project: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    files: tuple[str, ...] = ("docker-compose.yml",)
    """Relative to `directory`."""
    directory: str
    """Absolute."""
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    docker_host: str | None = None
    """`unix:///…` or `tcp://…`; None: DOCKER_HOST or the default socket."""


class CommandSpec(Value):
    """Programs that stand for a platform: systemd, Nomad, a deploy script. Argument lists, never a shell.

    `status` prints one JSON object, `history` a JSON list; docs/config.md has their fields. `rollback` may use
    `{{ revision }}` and must be safe to run twice with the same revision.
    """

    kind: Literal["command"] = "command"
    status: tuple[str, ...] = Field(min_length=1)
    history: tuple[str, ...] = Field(min_length=1)
    rollback: tuple[str, ...] = Field(min_length=1)
    logs: tuple[str, ...] = ()
    """Prints what is worth keeping as evidence; empty: nothing is kept but `status`."""
    directory: str | None = None
    timeout: Duration = timedelta(seconds=10)
    """For `status`, `history` and `logs`; `rollback` has `rollback.timeout`."""
    poll: Duration = timedelta(seconds=1)
    """How often `status` is asked for deploys."""


class HelmSpec(Value):
    """A Helm release, or with `*` every release of a namespace or of the cluster: a pattern."""

    kind: Literal["helm"] = "helm"
    release: str
    """The release's name; `*`: every release there, those that come later too."""
    namespace: str
    """`*`: every namespace."""
    exclude: tuple[str, ...] = ()
    """Releases that a pattern leaves alone: `RELEASE`, or `NAMESPACE/RELEASE`."""
    kubeconfig: str | None = None
    """Absolute; None: in-cluster rights where there are some, else KUBECONFIG or ~/.kube/config."""
    context: str | None = None
    storage: Literal["secret", "configmap"] = "secret"
    """Helm's storage driver (HELM_DRIVER)."""
    helm: str = "helm"
    """The program, version 3 or 4: a name on the PATH, or a path."""
    pending_limit: Duration = timedelta(minutes=15)
    """How long a release may be pending with nobody seen to work on it before it counts as abandoned."""

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for releases that are found, rather than for one."""
        return "*" in (self.release, self.namespace)


PlatformSpec = Annotated[ComposeSpec | HelmSpec | CommandSpec, Field(discriminator="kind")]


class WatchPolicy(Value):
    """How a deploy is watched."""

    bake_time: Duration = timedelta(minutes=10)
    """How long a healthy watch lasts after the rollout settled."""
    initial_delay: Duration = timedelta(seconds=15)
    interval: Duration = timedelta(seconds=5)
    rollout_timeout: Duration = timedelta(minutes=5)
    """How long a deploy may be arriving before `release: never_ready` is true."""
    settle: Duration = timedelta(seconds=3)
    """How long nothing may change before the rollout counts as finished."""
    max_extension: Duration = timedelta(hours=1)
    """How much blind time may extend the watch; past that it is held for a person."""
    false_rollback_budget: float = Field(default=0.01, gt=0, le=0.5)
    """Of a hundred good deploys, how many (as a share) all `compare` rules together may roll back by chance."""
    unsure: Literal["hold", "pass"] = "hold"
    """What becomes of a deploy that nothing spoke against, and whose compare rules saw too little to speak for it."""
    hold_expires: Duration = timedelta(hours=24)
    """How long a held watch waits for a person; then it ends, and the revision is not known good."""


class RollbackPolicy(Value):
    """How far the watchdog may go."""

    verify_for: Duration = timedelta(seconds=30)
    """How long everything must pass, without a break, before the rollback counts as a recovery."""
    verify_timeout: Duration = timedelta(minutes=2)
    """How long after the act that may take to begin; `verify_for` comes on top."""
    timeout: Duration = timedelta(minutes=3)
    """The time limit of the act itself."""
    cooldown: Duration = timedelta(minutes=30)
    """The least time between two automatic rollbacks of one target."""
    max_per_day: int = Field(default=3, ge=0)
    """Automatic rollbacks in any 24 hours; 0: never automatically."""
    first_known_good: Literal["none", "running"] = "none"
    """`running` accepts what ran when the daemon first saw the target as known good."""
    rerun_one_shots: bool = False
    """Whether one-shot services (migrations) are run again by a rollback."""
    keep_revisions: int = Field(default=5, ge=1, le=50)
    """How many known-good revisions keep their images."""
    on_migration: Literal["roll_back", "hold", "alert"] = "hold"
    """What is done where the deploy ran a migration hook, and the tripped rule is not marked reversible."""
    gitops: Literal["alert", "suspend"] = "alert"
    """Where Argo CD or Flux owns the release and would undo a rollback: only tell, or suspend the owner first."""


class Target(Value):
    """One guarded thing, with everything about it resolved: packs read, probes turned into rules."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,188}[a-z0-9])?$")
    """As configured (at most 63 characters); of a release that a pattern found: `PATTERN.RELEASE`, or
    `PATTERN.NAMESPACE.RELEASE` where the pattern stands for every namespace."""
    environment: str = "production"
    spec: PlatformSpec
    vars: dict[str, str] = {}
    rules: tuple[Rule, ...] = ()
    watch: WatchPolicy = WatchPolicy()
    rollback: RollbackPolicy = RollbackPolicy()
    receivers: tuple[str, ...] = ()
    mode: Mode = Mode.enforce

    def rule(self, name: str) -> Rule | None:
        """The rule of that name, or None if the config no longer has it."""
        return next((r for r in self.rules if r.name == name), None)

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for targets that are found, and is never guarded itself."""
        return isinstance(self.spec, HelmSpec) and self.spec.is_pattern

    def found(self, namespace: str, release: str) -> Target:
        """The target that this pattern makes of one release."""
        if not isinstance(self.spec, HelmSpec):
            raise TypeError(f"{self.name} is no pattern")
        parts = [self.name, *([namespace] if self.spec.namespace == "*" else []), release]
        spec = self.spec.model_copy(update={"namespace": namespace, "release": release, "exclude": ()})
        return self.model_copy(update={"name": ".".join(parts), "spec": spec})

    def named(self, name: str) -> Target | None:
        """The target of that name, if this pattern could have found it; `found`'s opposite."""
        if not isinstance(self.spec, HelmSpec) or not self.is_pattern or not name.startswith(self.name + "."):
            return None
        rest, namespace = name.removeprefix(self.name + "."), self.spec.namespace
        if namespace == "*":
            namespace, _, rest = rest.partition(".")  # a namespace's name has no dot; a release's may
        if not rest or self.spec.release not in ("*", rest):
            return None
        return self.found(namespace, rest)
