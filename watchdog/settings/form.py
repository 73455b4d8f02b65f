"""The config file as it is written: every key, its default and its meaning. `load` makes `Settings` of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from watchdog.model.incident import EventKind
from watchdog.settings.fields import Form, Text, Timeout, Url, http_url
from watchdog.settings.rule_form import NAME
from watchdog.settings.secrets import SecretForm
from watchdog.settings.target_form import TargetForm

TOLD = [kind.value for kind in EventKind if kind is not EventKind.note]
"""What receivers can be told of."""


def _told(kind: EventKind) -> EventKind:
    if kind is EventKind.note:
        raise ValueError("notes are for the timeline only: they are never sent")
    return kind


Told = Annotated[EventKind, AfterValidator(_told), WithJsonSchema({"type": "string", "enum": TOLD})]

_LISTEN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})")


def split_listen(listen: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9099` or `[::1]:9099`. Raises ValueError."""
    match = _LISTEN.fullmatch(listen)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:9099")
    return match["host"].strip("[]"), int(match["port"])


def _listen(text: str) -> str:
    split_listen(text)
    return text


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in {"authorization", "cookie", "proxy-authorization"}:
            raise ValueError(f"{name} is a secret: use `token`, or `username` and `password`")
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or "\n" in value or "\r" in value:
            raise ValueError("not a valid HTTP header")
    return headers


def _without_credentials(text: str) -> str:
    if "@" in text.removeprefix("https://").removeprefix("http://").partition("/")[0]:
        raise ValueError("take the user name and password out: write `username: …` and `password: {env: NAME}`")
    return text


class PrometheusSourceForm(Form):
    """Prometheus, or what answers its API (VictoriaMetrics, Thanos, Mimir)."""

    url: Annotated[str, AfterValidator(_without_credentials), AfterValidator(http_url)]
    """The address before /api/v1."""
    timeout: Timeout = timedelta(seconds=5)
    """The longest a query may take."""
    token: SecretForm | None = None
    """A bearer token."""
    username: Text | None = None
    """For basic authentication, with `password`."""
    password: SecretForm | None = None
    """For basic authentication, with `username`."""
    headers: Annotated[dict[str, Text], AfterValidator(_headers)] = {}
    """Sent with each query, such as X-Scope-OrgID. Not for secrets."""
    verify_tls: bool = True
    """Whether the server's certificate must be valid."""

    @model_validator(mode="after")
    def _one_way_in(self) -> PrometheusSourceForm:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: one of them is missing")
        if self.token is not None and self.username is not None:
            raise ValueError("use token, or username and password, not both")
        return self


class SourcesForm(Form):
    """Where numbers come from."""

    prometheus: PrometheusSourceForm | None = None
    """Needed by rules that measure with `prometheus` or `alert`."""


class HttpServerForm(Form):
    """The daemon's own HTTP: /healthz, /readyz, /metrics and the API."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:9099"
    """HOST:PORT. Keep it on loopback, or behind something that encrypts."""
    token: SecretForm | None = None
    """What actions (rollback, pause, resume, approve) ask for; without it there are none."""


class WebhookForm(Form):
    """A URL that gets a POST for each event, signed as the Standard Webhooks specification says."""

    url: Url
    """Where to."""
    secret: SecretForm | None = None
    """Base64 of 24 to 64 random bytes, `whsec_` before it or not; without it calls are not signed."""
    timeout: Timeout = timedelta(seconds=10)
    """The longest one call may take."""


class ReceiverForm(Form):
    """Who is told."""

    name: str = Field(pattern=NAME)
    """Targets name it."""
    webhook: WebhookForm
    """How."""
    events: tuple[Told, ...] = ()
    """What it is told of, by docs/events.md's types; default: everything."""


class SentryForm(Form):
    """Reports the watchdog's own unexpected errors, and each incident."""

    dsn: SecretForm
    """The project's DSN."""
    environment: str | None = Field(default=None, min_length=1)
    """Sentry's environment."""


class LogForm(Form):
    """The daemon's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""
    format: Literal["text", "json"] = "text"
    """`json`: one JSON object per line."""


def _text_or_secret(written: object) -> str:
    return "<secret>" if isinstance(written, (dict, SecretForm)) else "<text>"


StoreField = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[SecretForm, Tag("<secret>")], Discriminator(_text_or_secret)
]


class ConfigForm(Form):
    """The config of Deploy Watchdog: one YAML file."""

    store: StoreField = "sqlite:///state.db"
    """Where the state is: sqlite:///PATH (relative to the config; sqlite:////PATH is absolute), or postgresql://…;
    `{env: NAME}` when it holds a password."""
    retention: Timeout = timedelta(days=30)
    """How long measurements and events of watches without an incident are kept."""
    sources: SourcesForm = SourcesForm()
    """Where numbers come from."""
    http: HttpServerForm | None = None
    """The daemon's own HTTP; default: none."""
    receivers: tuple[ReceiverForm, ...] = ()
    """Who is told."""
    sentry: SentryForm | None = None
    """Reports to Sentry; default: none."""
    log: LogForm = LogForm()
    """The daemon's own log."""
    targets: Annotated[tuple[TargetForm, ...], Field(min_length=1)]
    """What is guarded."""
