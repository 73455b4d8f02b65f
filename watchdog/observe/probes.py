"""Active checks of a service: an HTTP request, a TCP connection, a program. They read, and change nothing.

A service that refuses, hangs or answers wrongly is what a probe is there to find: a sample of 0, with the reason as a
label. An error is only what says nothing about the service: a URL that can't be asked, a name server that is down, a
program that is not there.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from watchdog.command_answers import Programs
from watchdog.errors import Unavailable
from watchdog.model.base import format_duration
from watchdog.model.measurement import Observation, Sample
from watchdog.model.rule import CommandMeasure, HttpMeasure, Measure, TcpMeasure
from watchdog.observe.deadline import OutOfTime, within
from watchdog.observe.fetch import Answer, NoAnswer, fetch, shown
from watchdog.observe.trouble import trouble
from watchdog.subprocesses import Completed

BODY = 1024 * 1024
"""Bytes of an HTTP answer that are read, and in which `contains` is looked for."""

_REASON = 200  # characters of a program's words that become a label


class HttpProbe:
    """Measures `http` rules. Redirects are not followed: a 3xx is an answer like any other."""

    def measure(self, measure: Measure, now: datetime) -> Observation:
        """One request; the answer's body (its first MiB) must come in time too."""
        if not isinstance(measure, HttpMeasure):
            raise TypeError(f"an HTTP probe cannot measure {measure.kind!r}")
        began = time.monotonic()
        query = f"{measure.method} {shown(measure.url)}"
        try:
            answer = fetch(
                measure.url, method=measure.method, headers=measure.headers, timeout=measure.timeout, limit=BODY
            )
        except NoAnswer as failure:
            if failure.ours:
                return _error(query, f"{query} could not be asked: {failure}", began)
            return _failed(query, str(failure), began)
        labels = {"status": str(answer.status)}
        if reason := _wrong(measure, answer):
            return _failed(query, reason, began, labels)
        return Observation(query=query, samples=(Sample(value=1, labels=labels),), took=_since(began))

    def check(self, measure: Measure) -> Sequence[str]:
        """Why the probe does not pass now, if so."""
        return _check(self.measure(measure, _NO_TIME))


def _wrong(measure: HttpMeasure, answer: Answer) -> str:
    accepted = answer.status in measure.status if measure.status else 200 <= answer.status < 400
    if not accepted:
        wanted = " or ".join(map(str, measure.status)) if measure.status else "200 to 399"
        return f"it answered {answer.status}, not {wanted}"
    if measure.contains is not None and measure.contains.encode() not in answer.body:
        where = "the first MiB of its answer" if answer.cut else "its answer"
        return f"{where} does not contain {measure.contains!r}"
    return ""


class TcpProbe:
    """Measures `tcp` rules: `host:port`, `[::1]:port` for IPv6."""

    def measure(self, measure: Measure, now: datetime) -> Observation:
        """One connection, closed at once."""
        if not isinstance(measure, TcpMeasure):
            raise TypeError(f"a TCP probe cannot measure {measure.kind!r}")
        began = time.monotonic()
        query = f"tcp {measure.address}"
        address = _address(measure.address)
        if address is None:
            return _error(query, f"{measure.address!r} is not host:port (or [IPv6]:port), port 1 to 65535", began)

        def connect() -> None:
            socket.create_connection(address, timeout=measure.timeout.total_seconds()).close()

        try:
            within(measure.timeout, connect)
        except OutOfTime:
            return _failed(query, f"no connection within {format_duration(measure.timeout)}", began)
        except (OSError, UnicodeError, RuntimeError) as error:
            found = trouble(error, measure.timeout)
            if found.ours:
                return _error(query, f"{query} could not be tried: {found.reason}", began)
            return _failed(query, found.reason, began)
        return Observation(query=query, samples=(Sample(value=1),), took=_since(began))

    def check(self, measure: Measure) -> Sequence[str]:
        """Why the probe does not pass now, if so."""
        return _check(self.measure(measure, _NO_TIME))


def _address(text: str) -> tuple[str, int] | None:
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        return None
    if not host or (":" in host and not bracketed):
        return None
    return (host[1:-1] if bracketed else host), int(port)


class CommandProbe:
    """Measures `command` rules: an argument list, no shell. The program sees PATH, HOME and the like (see
    `subprocesses.minimal_environment`) and what `environment` adds, not the watchdog's own secrets."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._programs = Programs(environment)

    def measure(self, measure: Measure, now: datetime) -> Observation:
        """One run. With `output: number`, whatever prints no number is an error: a number is not invented."""
        if not isinstance(measure, CommandMeasure):
            raise TypeError(f"a command probe cannot measure {measure.kind!r}")
        began = time.monotonic()
        query = self._programs.masked(" ".join(measure.argv))
        try:
            done = self._programs.run(measure.argv, None, measure.timeout)
        except Unavailable as failure:
            return _error(query, str(failure), began)
        reason = f"it {self._programs.words(done)}"[:_REASON]
        if measure.output == "number":
            return _number(query, done, reason, began)
        if not done.ok:
            return _failed(query, reason, began)
        return Observation(query=query, samples=(Sample(value=1),), took=_since(began))

    def check(self, measure: Measure) -> Sequence[str]:
        """Why the probe does not pass now, if so."""
        return _check(self.measure(measure, _NO_TIME))


def _number(query: str, done: Completed, reason: str, began: float) -> Observation:
    if not done.ok:
        return _error(query, f"no number from {query!r}: {reason}", began)
    try:
        value = float(done.out.strip())
    except ValueError:
        return _error(query, f"no number from {query!r}: {reason}", began)
    return Observation(query=query, samples=(Sample(value=value),), took=_since(began))


_NO_TIME = datetime.min.replace(tzinfo=UTC)
"""Probes ask the world as it is; they do not look at `now`."""


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - began)


def _failed(query: str, reason: str, began: float, labels: Mapping[str, str] | None = None) -> Observation:
    sample = Sample(value=0, labels={**(labels or {}), "reason": reason})
    return Observation(query=query, samples=(sample,), took=_since(began))


def _error(query: str, error: str, began: float) -> Observation:
    return Observation(query=query, error=error, took=_since(began))


def _check(observation: Observation) -> Sequence[str]:
    """A service that is down now can still be guarded: that is a note."""
    if observation.error is not None:
        return [observation.error]
    return [
        f"note: {observation.query} fails now: {s.labels['reason']}"
        for s in observation.samples
        if "reason" in s.labels
    ]
