"""Reports the watchdog's own unexpected errors, and each incident's end, to Sentry when a DSN is set.

Nothing secret goes along: no local variables, no arguments, no environment, no request data, no breadcrumbs, no
integration that patches other libraries; and every string is masked before it is sent. The SDK is imported only here,
only when it is used, and never installed globally.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from watchdog import __version__
from watchdog.errors import BadConfig, Refused, Unavailable
from watchdog.model.incident import Event, EventKind
from watchdog.model.masking import mask
from watchdog.report.plain import plain

if TYPE_CHECKING:
    from sentry_sdk import Client
    from sentry_sdk.types import Event as SentryEvent

INCIDENT_EVENTS = (EventKind.failed, EventKind.recovered, EventKind.blocked, EventKind.held)
"""What is reported: an incident's end, or that it waits for a person."""

_LEVELS = {EventKind.failed: "fatal", EventKind.blocked: "error", EventKind.held: "error"}
FLUSH_SECONDS = 5.0


class Sentry:
    """One connection to a Sentry project, apart from any other use of the SDK in the process."""

    def __init__(self, dsn: SecretStr, environment: str | None = None, secrets: Iterable[str] = ()) -> None:
        """`secrets` are values that must never be sent, whatever they turn up in. Raises BadConfig for a bad DSN."""
        self._secrets = frozenset(secrets)
        self._dropped = _Dropped()
        self._client: Client = _client(dsn, environment, self._scrub, self._dropped)

    def capture(self, error: BaseException, **tags: str) -> None:
        """Report an unexpected error, in the background. Never raises for what Sentry does."""
        from sentry_sdk.utils import event_from_exception  # noqa: PLC0415 imported only when a DSN is set

        event, hint = event_from_exception(error, client_options=self._client.options)
        event["tags"] = dict(tags)
        self._client.capture_event(event, hint)

    def deliver(self, event: SentryEvent) -> None:
        """Send one event and wait until it was accepted. Raises Unavailable or Refused."""
        self._dropped.clear()
        self._client.capture_event(event)
        self._client.flush(timeout=FLUSH_SECONDS)
        reason = self._dropped.reason
        if reason in ("status_400", "status_401", "status_403", "status_404", "status_413"):
            raise Refused(f"Sentry answered {reason.removeprefix('status_')}: check the DSN and the project")
        if reason:
            raise Unavailable(f"Sentry did not take the event ({reason})")

    def close(self) -> None:
        """Send what waits, within some seconds, and stop."""
        self._client.close(timeout=FLUSH_SECONDS)

    def _scrub(self, event: SentryEvent, _hint: dict[str, Any]) -> SentryEvent | None:
        cleaned: SentryEvent = _masked(event, self._secrets)
        return cleaned


class SentryReceiver:
    """Tells Sentry how incidents end. Other events are taken and not passed on."""

    def __init__(self, sentry: Sentry, name: str = "sentry") -> None:
        self.name = name
        self._sentry = sentry

    def send(self, event: Event) -> None:
        """Report the incident as a message; a repeat has the same Sentry id. Raises Unavailable or Refused."""
        if event.kind in INCIDENT_EVENTS:
            self._sentry.deliver(message_of(event))


def message_of(event: Event) -> SentryEvent:
    """The Sentry event of an incident: its sentence, grouped by target, environment, kind and rules."""
    rules = sorted(str(rule) for rule in event.detail.get("rules") or ())
    tags = {
        "target": event.target,
        "environment": event.environment,
        "event": event.kind.value,
        "rule": ",".join(rules),
        "revision": event.revision or "",
        "incident": event.incident or "",
        "objection": str(plain(event.detail.get("objection")) or ""),
    }
    message: dict[str, Any] = {
        "event_id": uuid.uuid5(uuid.NAMESPACE_OID, event.id).hex,
        "timestamp": event.at,
        "level": _LEVELS.get(event.kind, "warning"),
        "logger": "watchdog.incident",
        "message": f"{event.target} ({event.environment}): {event.message}",
        "tags": {name: value[:200] for name, value in tags.items() if value},
        "fingerprint": ["watchdog", event.target, event.environment, event.kind.value, *rules],
        "contexts": {"incident": {"type": "incident", **plain(event.detail)}},
    }
    return message  # type: ignore[return-value] # a TypedDict, built as a dict


class _Dropped:
    """Why the transport dropped what it was last given; the transport runs in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason = ""

    def clear(self) -> None:
        with self._lock:
            self._reason = ""

    def note(self, reason: str) -> None:
        with self._lock:
            self._reason = self._reason or reason

    @property
    def reason(self) -> str:
        with self._lock:
            return self._reason


def _client(dsn: SecretStr, environment: str | None, scrub: Any, dropped: _Dropped) -> Client:
    import sentry_sdk  # noqa: PLC0415 imported only when a DSN is set
    from sentry_sdk.transport import HttpTransport  # noqa: PLC0415
    from sentry_sdk.utils import BadDsn  # noqa: PLC0415

    class Transport(HttpTransport):
        """The SDK's own, which also says when it had to drop something."""

        def on_dropped_event(self, reason: str) -> None:
            dropped.note(reason)

    # send_default_pii is left unset: that means no in every version, and setting it warns in new ones.
    try:
        return sentry_sdk.Client(
            dsn=dsn.get_secret_value(),
            environment=environment or "production",
            release=f"deploy-watchdog@{__version__}",
            transport=Transport,
            before_send=scrub,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            trace_propagation_targets=[],
            auto_session_tracking=False,
            shutdown_timeout=FLUSH_SECONDS,
        )
    except BadDsn as error:
        raise BadConfig(f"sentry: its dsn is not valid ({mask(str(error), [dsn.get_secret_value()])})") from error


def _masked(value: Any, secrets: frozenset[str]) -> Any:
    """The same structure with every string masked."""
    if isinstance(value, str):
        return mask(value, secrets)
    if isinstance(value, Mapping):
        return {key: _masked(child, secrets) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(child, secrets) for child in value]
    return value
