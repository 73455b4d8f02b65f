"""Prometheus as a memory: raw samples of counters and gauges by range selectors, and expressions over time.

Raw samples are what was scraped, each at its own time: numbers of one scrape have the same time, a reset of a counter
stays one. Long stretches are asked for in pieces, bounded in time and size. An answer is whole or an error in words.
Staleness markers are not among the samples: Prometheus leaves them out, and a series that ended just has no more.

Times are those of Prometheus, and `start` and `end` are sent to it: where the clocks differ, so do the stretches.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from watchdog.errors import Refused, Unavailable
from watchdog.model.base import format_duration
from watchdog.model.series import Series
from watchdog.observe.base import VersionChange
from watchdog.observe.fetch import NoAnswer
from watchdog.observe.prometheus.api import PrometheusApi
from watchdog.observe.prometheus.matrix import MOST_NUMBERS, Matrix, OverTheBound
from watchdog.observe.prometheus.promql import BadAnswer, RefusedQuery, TooMuch, is_label
from watchdog.observe.prometheus.ranges import Request, Wanted, requests_for
from watchdog.observe.prometheus.version_label import arrivals

CHUNK = timedelta(hours=2)
"""Of raw samples in one request: a block of Prometheus' storage, 480 samples a series at an interval of 15 s."""

_SHORTEST = timedelta(minutes=1)
"""Where an answer is too large, half of its time is asked for, but not less than this."""

_POINTS = 10_000
"""Of an expression in one request; Prometheus allows 11,000."""

_STEP = timedelta(minutes=1)
_MOST_STEPS = 100_000
"""Of a search for deploys: ten requests."""

Ask = Callable[[float, float], dict[str, Any]]
"""(start, end) in unix seconds → the answer's document."""


class PrometheusHistory:
    """A History. Safe to use from several threads. `whole` is the time for all pieces of one question, each of which
    has the time limit of `api`; `most` bounds the numbers in memory."""

    def __init__(
        self, api: PrometheusApi, *, whole: timedelta = timedelta(seconds=60), most: int = MOST_NUMBERS
    ) -> None:
        self._api, self._whole, self._most = api, whole, most

    def series(self, selectors: Mapping[str, str], start: datetime, end: datetime) -> Mapping[str, tuple[Series, ...]]:
        """The raw samples after `start` up to and with `end` of each selector: one request for each two hours where
        the selectors allow it (see ranges.py). A native histogram answers for its classic `…_bucket` and `…_count`.

        Raises Unavailable, Refused.
        """
        found: dict[str, tuple[Series, ...]] = {}
        until = time.monotonic() + self._whole.total_seconds()
        for request in requests_for(selectors):
            matrix = Matrix(self._most)

            def ask(since: float, to: float, text: str = request.text) -> dict[str, Any]:
                # Whole milliseconds: Prometheus keeps no finer times, and 2.x reads no fractions in a duration.
                query = f"{text}[{round((to - since) * 1000)}ms]"
                return self._api.query("/api/v1/query", query, {"time": f"{to:.3f}"})

            self._collect(ask, matrix, _Stretch(start, end, CHUNK, until, request.text))
            found |= _split(request, matrix)
        return {key: found[key] for key in selectors}

    def evaluate(self, query: str, start: datetime, end: datetime, step: timedelta) -> tuple[Series, ...]:
        """The expression at `start` and each `step` after it, up to and with `end`. Raises Unavailable, Refused."""
        matrix = Matrix(self._most, histograms=False)

        def ask(since: float, to: float) -> dict[str, Any]:
            params = {"start": f"{since:.3f}", "end": f"{to:.3f}", "step": f"{step.total_seconds():g}"}
            return self._api.query("/api/v1/query_range", query, params)

        until = time.monotonic() + self._whole.total_seconds()
        self._collect(ask, matrix, _Stretch(start, end, _POINTS * step, until, query, step))
        return tuple(matrix.series())

    def deploys_by_label(self, selector: str, label: str, start: datetime, end: datetime) -> tuple[VersionChange, ...]:
        """When the selector's series began to have another value of the label, to the second, oldest first.

        What lived for less than a step (a minute, more where the stretch is over two months) may be missing.
        Raises Unavailable, Refused.
        """
        if not is_label(label):
            raise Refused(f"looking for deploys: {label!r} is not a label name that Prometheus can have")
        query = f"count by ({label}) ({selector})"
        step = max(_STEP, timedelta(seconds=math.ceil((end - start) / _MOST_STEPS / timedelta(seconds=1))))
        found: list[VersionChange] = []
        for at, value in arrivals(self.evaluate(query, start, end, step), label):
            moment = datetime.fromtimestamp(at, UTC)
            closely = self.evaluate(query, moment - step, moment, timedelta(seconds=1))
            exact = [when for when, arrived in arrivals(closely, label) if arrived == value]
            found.append(VersionChange(datetime.fromtimestamp(exact[-1], UTC) if exact else moment, value))
        return tuple(found)

    def _collect(self, ask: Ask, matrix: Matrix, stretch: _Stretch) -> None:
        """Ask piece by piece, oldest first."""
        since, end, width = stretch.begin, stretch.last, stretch.piece
        while since < end or (stretch.stepwise and since <= end):
            if time.monotonic() > stretch.until:
                raise Unavailable(
                    f"{self._api.name}: reading {stretch.text} from {format_duration(stretch.length)} took longer than "
                    f"{format_duration(self._whole)}, and is not complete"
                )
            to = min(since + width, end)
            try:
                matrix.add(ask(since, to), since if not stretch.stepwise else since - 0.0005, to)
            except OverTheBound as error:
                raise Refused(f"{self._api.words(error)}: {stretch.text}") from error
            except TooMuch as error:
                if width / 2 < stretch.shortest:
                    raise Refused(f"{self._api.words(error)}: {stretch.text}") from error
                width = stretch.halved(width)
                continue
            except RefusedQuery as error:
                raise Refused(f"{self._api.words(error)}: {stretch.text}") from error
            except (NoAnswer, BadAnswer) as error:
                raise Unavailable(f"{self._api.words(error)} (asked: {stretch.text})") from error
            since = to + stretch.gap


@dataclass(frozen=True, slots=True)
class _Stretch:
    """From when to when something is asked, in pieces of which length. With a `step`, the pieces do not touch: each
    begins a step after the last."""

    start: datetime
    end: datetime
    longest: timedelta
    until: float
    """The monotonic time at which the question is given up."""
    text: str
    step: timedelta | None = None

    @property
    def stepwise(self) -> bool:
        return self.step is not None

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    @property
    def begin(self) -> float:
        return round(self.start.timestamp(), 3)

    @property
    def last(self) -> float:
        return round(self.end.timestamp(), 3)

    @property
    def piece(self) -> float:
        return self.longest.total_seconds()

    @property
    def gap(self) -> float:
        return self.step.total_seconds() if self.step else 0.0

    @property
    def shortest(self) -> float:
        return self.step.total_seconds() if self.step else _SHORTEST.total_seconds()

    def halved(self, width: float) -> float:
        return width / 2 if self.step is None else width / 2 // self.gap * self.gap


def _split(request: Request, matrix: Matrix) -> dict[str, tuple[Series, ...]]:
    """Each selector's own series of one answer."""
    floats = list(matrix.series())
    native = list(matrix.native())
    found: dict[str, tuple[Series, ...]] = {}
    for wanted in request.wanted:
        classic = tuple(series for series in floats if wanted.takes(series.labels))
        # A server that scrapes both forms of a histogram has counted each request twice.
        found[wanted.key] = classic or tuple(_from_native(wanted, native))
    return found


def _from_native(wanted: Wanted, native: Sequence[tuple[Mapping[str, str], Any]]) -> list[Series]:
    found: list[Series] = []
    for labels, samples in native:
        name = labels.get("__name__", "")
        if wanted.name == f"{name}_count":
            series = [samples.count_series({**labels, "__name__": wanted.name})]
        elif wanted.name in (None, name, f"{name}_bucket"):
            series = samples.bucket_series({**labels, "__name__": f"{name}_bucket"})
        else:
            continue
        found += [one for one in series if all(matcher.matches(one.labels) for matcher in wanted.rest)]
    return found
