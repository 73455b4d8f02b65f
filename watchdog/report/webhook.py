"""Sends events as webhooks, signed as the Standard Webhooks specification says (https://www.standardwebhooks.com).

The body is documented in docs/events.md, with an example for each event. The request has a time limit, follows no
redirect, reads at most a little of the answer, and its errors never show the secret or the URL's password and query.
"""

from __future__ import annotations

import base64
import binascii
import time
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from standardwebhooks import Webhook
from urllib3.exceptions import HTTPError

from watchdog import __version__
from watchdog.clock import Clock
from watchdog.errors import BadConfig, Refused, Unavailable
from watchdog.model.incident import Event
from watchdog.model.masking import mask
from watchdog.report.base import Busy
from watchdog.report.plain import plain, timestamp, to_json

USER_AGENT = f"deploy-watchdog/{__version__}"
TRY_AGAIN = frozenset({408, 409, 425, 429})
"""The 4xx that say "not now" rather than "no"."""
ANSWER_SHOWN = 200
"""Bytes of a failed answer's body that the error repeats."""


def body_of(event: Event) -> dict[str, Any]:
    """What is sent: `type`, `timestamp` (when it happened) and `data`, as the specification lays it out."""
    return {
        "type": event.kind.value,
        "timestamp": timestamp(event.at),
        "data": {
            "id": event.id,
            "at": timestamp(event.at),
            "target": event.target,
            "environment": event.environment,
            "revision": event.revision,
            "watch": event.watch,
            "incident": event.incident,
            "message": event.message,
            "detail": plain(event.detail),
        },
    }


def signer(secret: SecretStr, receiver: str) -> Webhook:
    """The signer for a secret of 24 to 64 bytes in base64, with or without `whsec_`. Raises BadConfig."""
    text = secret.get_secret_value().strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise BadConfig(
            f"receiver {receiver}: its webhook secret is not base64 of 24 to 64 bytes; "
            'make one with: echo "whsec_$(openssl rand -base64 32)"'
        )
    return Webhook(key)


class _OneRequest(requests.Session):
    """Sees no redirects: otherwise requests reads the whole body of one, even when it is not to be followed."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class WebhookReceiver:
    """One URL that is told about events."""

    def __init__(
        self, name: str, url: str, *, clock: Clock, secret: SecretStr | None = None, timeout: timedelta
    ) -> None:
        self.name = name
        self._url = url
        self._clock = clock
        self._timeout = timeout.total_seconds()
        self._signer = signer(secret, name) if secret is not None else None
        self._shown, self._hidden = _shown_and_hidden(url, name)
        self._session = _OneRequest()

    def send(self, event: Event) -> None:
        """POST the event once. Raises Unavailable, Busy or Refused, as `report.base.Receiver` says."""
        body = to_json(body_of(event))
        try:
            with self._session.post(
                self._url,
                data=body.encode(),
                headers=self._headers(event, body),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                self._judge(answer)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
            raise Refused(f"the URL of receiver {self.name} cannot be used: {self._shown}") from error
        except requests.exceptions.SSLError as error:
            raise Unavailable(f"{self._shown}: its certificate was not accepted ({_cause(error)})") from error
        except requests.exceptions.Timeout as error:
            raise Unavailable(f"{self._shown} did not answer within {self._timeout:g} s") from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise Unavailable(f"{self._shown} could not be reached ({_cause(error)})") from error

    def _headers(self, event: Event, body: str) -> dict[str, str]:
        now = self._clock.now().astimezone(UTC)  # the signer takes any time zone for UTC
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": USER_AGENT,
            "webhook-id": event.id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if self._signer:
            headers["webhook-signature"] = self._signer.sign(event.id, now, body)
        return headers

    def _judge(self, answer: requests.Response) -> None:
        """Nothing for a 2xx; else the error that says what follows."""
        status = answer.status_code
        if 200 <= status < 300:
            return
        said = f"{self._shown} answered {status} {answer.reason or ''}".rstrip()
        if 300 <= status < 400:
            raise Refused(f"{said}: redirects are not followed; configure the address it points to")
        text = mask(_beginning(answer, self._timeout), self._hidden)
        said += f": {text}" if text else ""
        if 400 <= status < 500 and status not in TRY_AGAIN:
            raise Refused(said)
        pause = retry_after(answer.headers.get("retry-after", ""), self._clock)
        if pause is not None:
            raise Busy(said, pause)
        raise Unavailable(said)


def retry_after(header: str, clock: Clock) -> timedelta | None:
    """How long a Retry-After header (seconds, or a date) asks to wait; None if it doesn't say."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 86_400))
    try:
        at = parsedate_to_datetime(text)
        return max(at - clock.now(), timedelta(0))
    except (ValueError, TypeError, OverflowError):
        return None


def _shown_and_hidden(url: str, receiver: str) -> tuple[str, frozenset[str]]:
    """What errors may say of a URL (its host), and the parts they must not: tokens often stand in a path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise BadConfig(f"receiver {receiver}: its webhook URL is not valid: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadConfig(f"receiver {receiver}: its webhook needs a URL such as https://example.org/hook")
    hidden = {parts.path, *parts.path.split("/"), parts.query, parts.password or ""}
    return f"{parts.scheme}://{parts.hostname}{port}", frozenset(part for part in hidden if len(part) >= 8)


def _beginning(answer: requests.Response, seconds: float) -> str:
    """The first printable characters of the body, as far as they come within the time."""
    deadline = time.monotonic() + seconds
    read = b""
    while len(read) < ANSWER_SHOWN and time.monotonic() < deadline:
        try:
            piece = answer.raw.read1(ANSWER_SHOWN - len(read), decode_content=False)
        except (HTTPError, OSError):  # what came before it broke off is enough
            break
        if not piece:
            break
        read += piece
    text = read.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _cause(error: BaseException) -> str:
    """The innermost reason of a requests error, without the URL that its text repeats."""
    inner: BaseException = error
    for _ in range(8):
        candidates = (getattr(inner, "reason", None), *inner.args[:1], inner.__cause__)
        candidate = next((c for c in candidates if isinstance(c, BaseException)), None)
        if candidate is None:
            break
        inner = candidate
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return type(inner).__name__
