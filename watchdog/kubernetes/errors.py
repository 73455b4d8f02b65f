"""What a Kubernetes API server's answers mean for the caller, and a lost connection in a few words. Pure."""

from __future__ import annotations

import json
import socket
import ssl

from watchdog.errors import Refused, Unavailable, WatchdogError, causes


class NotThere(Refused):
    """The object, its namespace or its kind does not exist."""


class Forbidden(Refused):
    """The API server knows us, and we have no right to do this."""


class Expired(Unavailable):
    """A watch or a list is too old to go on: begin again with a new list."""


class Throttled(Unavailable):
    """The API server asks us to wait, for longer than the caller has time for."""

    def __init__(self, message: str, wait: float) -> None:
        """`wait`: seconds."""
        super().__init__(message)
        self.wait = wait


_PERMANENT = frozenset({400, 401, 405, 406, 409, 413, 415, 422})


def refusal(doing: str, status: int, body: bytes) -> WatchdogError:
    """The error for an answer that is not a success: what was being done, and the API server's own words."""
    said = message(body) or f"HTTP {status}"
    if status == 404:
        return NotThere(f"{doing}: {said}")
    if status == 403:
        return Forbidden(f"{doing}: {said}; `watchdog check` says which rule grants it")
    if status == 410:
        return Expired(f"{doing}: {said}")
    if status == 401:
        return Refused(f"{doing}: the API server does not accept our credentials ({said})")
    if status in _PERMANENT:
        return Refused(f"{doing}: {said}")
    return Unavailable(f"{doing}: the API server says: {said} (HTTP {status}); trying again may work")


def message(body: bytes) -> str:
    """The words of a Status object, or the beginning of whatever else it is."""
    text = body[:20_000].decode("utf-8", errors="replace")
    try:
        status = json.loads(text)
    except ValueError:
        return " ".join(text.split())[:300]
    said = status.get("message") if isinstance(status, dict) else None
    return str(said or "")[:1_000]


def in_words(error: BaseException) -> str:
    """Why there was no answer. The libraries' own texts are several errors long."""
    return next((words for cause in causes(error) if (words := _said(cause))), str(error)[:300] or type(error).__name__)


def _said(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not accepted: {cause.verify_message}"
    if isinstance(cause, socket.gaierror):
        return f"its host name could not be looked up ({cause.strerror})"
    if isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__:
        return "no answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return ""
