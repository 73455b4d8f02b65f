"""The config, resolved: secrets fetched, paths absolute, packs read, probes turned into rules. What `load` returns."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from watchdog.model.base import Duration, Value
from watchdog.model.incident import EventKind
from watchdog.model.target import Target
from watchdog.roster import Roster


class PrometheusSettings(Value):
    """Where Prometheus answers, and how to be let in: a bearer token, or a user name and password, or neither."""

    url: str
    timeout: Duration = timedelta(seconds=5)
    token: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    headers: dict[str, str] = {}
    verify_tls: bool = True


class Sources(Value):
    """Where numbers come from, besides what rules name themselves."""

    prometheus: PrometheusSettings | None = None


class HttpSettings(Value):
    """The daemon's own HTTP. Without a token it has no actions."""

    host: str
    port: int
    token: SecretStr | None = None


class WebhookSettings(Value):
    """A receiver's URL, and the secret its calls are signed with."""

    url: str
    secret: SecretStr | None = None
    secret_missing: bool = False
    """There is one, but this process was read without it: it must send nothing, since it can't sign."""
    timeout: Duration = timedelta(seconds=10)


class ReceiverSettings(Value):
    """Who is told."""

    name: str
    webhook: WebhookSettings | None = None
    events: tuple[EventKind, ...] = ()
    """What it is told of; empty: everything but notes."""


class SentrySettings(Value):
    """Where the watchdog's own errors and the incidents go."""

    dsn: SecretStr | None
    """None only where the config was read without its secrets."""
    environment: str | None = None


class LogSettings(Value):
    """The daemon's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(Value):
    """The whole config, ready to use."""

    path: Path
    """The file it was read from, absolute."""
    store: str = Field(repr=False)
    """A database URL, `sqlite:////absolute/path` or `postgresql://…`. May hold a password: never shown."""
    retention: Duration = timedelta(days=30)
    sources: Sources = Sources()
    http: HttpSettings | None = None
    receivers: tuple[ReceiverSettings, ...] = ()
    sentry: SentrySettings | None = None
    log: LogSettings = LogSettings()
    targets: tuple[Target, ...]
    secret_variables: frozenset[str] = frozenset()
    """The environment variables that secrets are taken from: programs that the watchdog starts do not get them."""
    missing_secrets: tuple[str, ...] = ()
    """The secrets that were left out, each with why: only where the config was read without them (`load`)."""

    @cached_property
    def roster(self) -> Roster:
        """The targets by name, and the releases that patterns among them find."""
        return Roster(self.targets)
