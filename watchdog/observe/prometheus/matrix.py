"""Collects what Prometheus answers about stretches of time, chunk after chunk, into series. Pure, bounded.

Kept are each sample's own time and value. Where chunks meet, a sample that both of them hold counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from watchdog.model.series import Series
from watchdog.observe.prometheus.native import NativeSamples
from watchdog.observe.prometheus.promql import BadAnswer, TooMuch, numbers

MOST_NUMBERS = 4_000_000
"""Values held of one question, buckets of native histograms counted one by one: 64 MB."""


class Matrix:
    """The series of one question so far."""

    def __init__(self, most: int = MOST_NUMBERS, *, histograms: bool = True) -> None:
        self._most, self._histograms = most, histograms
        self._held = 0
        self._floats: dict[frozenset[tuple[str, str]], Series] = {}
        self._native: dict[frozenset[tuple[str, str]], NativeSamples] = {}

    def add(self, document: dict[str, Any], start: float, end: float) -> None:
        """The samples after `start` up to and with `end` of one answer. Raises BadAnswer; TooMuch beyond the bound."""
        for series in _result(document):
            metric = series.get("metric") if isinstance(series, dict) else None
            if not isinstance(metric, dict):
                raise BadAnswer("a series of the answer has no `metric`")
            key = frozenset((str(name), str(value)) for name, value in metric.items())
            if values := series.get("values"):
                self._add_floats(key, values, start, end)
            if histograms := series.get("histograms"):
                self._add_native(key, histograms, start, end)

    def series(self) -> Iterator[Series]:
        """Those of numbers."""
        yield from self._floats.values()

    def native(self) -> Iterator[tuple[Mapping[str, str], NativeSamples]]:
        """Those of native histograms, with their labels."""
        for key, samples in self._native.items():
            yield dict(key), samples

    def _add_floats(self, key: frozenset[tuple[str, str]], values: Any, start: float, end: float) -> None:
        held = self._floats.setdefault(key, Series(dict(key)))
        after = max(start, held.at[-1]) if held.at else start
        for at, value in numbers(values):
            if after < at <= end:
                held.at.append(at)
                held.values.append(value)
        self._count(len(values))

    def _add_native(self, key: frozenset[tuple[str, str]], histograms: Any, start: float, end: float) -> None:
        if not self._histograms:
            raise BadAnswer(
                "a series is a native histogram, not a number; use histogram_quantile(…) or histogram_count(…)"
            )
        held = self._native.setdefault(key, NativeSamples())
        after = max(start, held.at[-1]) if held.at else start
        for pair in histograms:
            if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], (int, float))):
                raise BadAnswer("a native histogram of the answer is not [time, histogram]")
            if after < pair[0] <= end:
                self._count(held.add(float(pair[0]), pair[1]))

    def _count(self, more: int) -> None:
        self._held += more
        if self._held > self._most:
            raise OverTheBound(self._most)


class OverTheBound(TooMuch):
    """The question's whole answer is too large, however it is cut into pieces."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"these series have more than {most:,} samples in this time; narrow the selector, "
            "or let a recording rule sum them first"
        )


def _result(document: dict[str, Any]) -> list[Any]:
    inner = document.get("data")
    if not isinstance(inner, dict):
        raise BadAnswer("the answer has no `data`")
    kind, result = inner.get("resultType"), inner.get("result")
    if kind != "matrix" or not isinstance(result, list):
        raise BadAnswer(f"the answer is of the kind {str(kind)[:50]!r}; a matrix was asked for")
    return result
