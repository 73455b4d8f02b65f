"""Says in a few words why a connection or an HTTP answer failed, and on whose side: pure, from the exception.

The texts of the libraries' own exceptions are not used: they may hold the URL with its password.
"""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import timedelta

import requests
from urllib3 import exceptions as urllib3_errors

from watchdog.errors import causes
from watchdog.model.base import format_duration

_OURS = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EAFNOSUPPORT,
    }
)
"""What this machine itself could not do: no free descriptor or port, no route, a rule of its own firewall."""

_BAD_URL = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    urllib3_errors.LocationValueError,
    http.client.InvalidURL,
    UnicodeError,
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong."""

    reason: str
    ours: bool
    """It says nothing about the other side: a probe must not count it as a failure."""


def trouble(error: BaseException, timeout: timedelta) -> Trouble:
    """The cause at the bottom of an exception of requests, urllib3 or the socket, in words."""
    chain = list(causes(error))
    for find in (_name, _bad_url, _tls, _closed, _late, _system, _cut_off, _nonsense):
        for cause in chain:
            found = find(cause, timeout)
            if found is not None:
                return found
    return Trouble(f"the request failed ({type(error).__name__})", ours=isinstance(error, RuntimeError))


def _name(error: BaseException, _: timedelta) -> Trouble | None:
    # A name server that is down says nothing about the service; nor does a name that is not there.
    if isinstance(error, socket.gaierror):
        return Trouble(f"its host name could not be looked up ({error.strerror})", ours=True)
    return None


def _bad_url(error: BaseException, _: timedelta) -> Trouble | None:
    if isinstance(error, _BAD_URL):
        return Trouble("this URL, or a header, can't be sent; a URL is like http://host:port/path", ours=True)
    return None


def _tls(error: BaseException, _: timedelta) -> Trouble | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(f"its TLS certificate is not accepted: {error.verify_message}", ours=False)
    if isinstance(error, ssl.SSLError):
        return Trouble(f"TLS failed: {(error.reason or 'no reason given').replace('_', ' ').lower()}", ours=False)
    return None


def _closed(error: BaseException, _: timedelta) -> Trouble | None:
    if isinstance(error, ConnectionRefusedError):
        return Trouble("connection refused", ours=False)
    if isinstance(error, http.client.RemoteDisconnected):
        return Trouble("it closed the connection without an answer", ours=False)
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return Trouble("it reset the connection", ours=False)
    return None


def _late(error: BaseException, timeout: timedelta) -> Trouble | None:
    if isinstance(error, (requests.ReadTimeout, urllib3_errors.ReadTimeoutError)):  # as where the request is aborted
        return Trouble(f"no whole answer within {format_duration(timeout)}", ours=False)
    if isinstance(error, (TimeoutError, requests.Timeout, urllib3_errors.TimeoutError)):
        return Trouble(f"no answer within {format_duration(timeout)}", ours=False)
    return None


def _system(error: BaseException, _: timedelta) -> Trouble | None:
    if isinstance(error, OSError) and error.errno is not None:
        return Trouble(os.strerror(error.errno).lower(), ours=error.errno in _OURS)
    return None


def _cut_off(error: BaseException, _: timedelta) -> Trouble | None:
    if isinstance(error, (http.client.IncompleteRead, urllib3_errors.IncompleteRead)):
        return Trouble("the answer broke off before its end", ours=False)
    return None


def _nonsense(error: BaseException, _: timedelta) -> Trouble | None:
    if isinstance(error, (requests.exceptions.ContentDecodingError, urllib3_errors.DecodeError)):
        return Trouble("the answer's compression is damaged", ours=False)
    if isinstance(error, (http.client.HTTPException, urllib3_errors.ProtocolError, urllib3_errors.HTTPError)):
        return Trouble("the answer is not valid HTTP", ours=False)
    return None
