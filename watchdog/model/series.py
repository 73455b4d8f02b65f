"""One series of raw samples, as `compare` rules and backtests need them: many numbers, so no object for each.

Samples are as they were scraped: each at its own time, resets of counters included, nothing interpolated. A scrape
that is missing is missing here too.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


def _doubles() -> array[float]:
    return array("d")


@dataclass(frozen=True, slots=True)
class Series:
    """Labels (`__name__` among them, where there is a name), times in unix seconds, ascending, and their values.

    `at` and `values` are arrays of doubles, so `numpy.frombuffer(series.values)` is an array without a copy.
    """

    labels: Mapping[str, str]
    at: array[float] = field(default_factory=_doubles)
    values: array[float] = field(default_factory=_doubles)

    def __post_init__(self) -> None:
        if len(self.at) != len(self.values):
            raise ValueError(f"a series has a time for each value: {len(self.at)} times, {len(self.values)} values")

    @classmethod
    def of(cls, labels: Mapping[str, str], samples: Iterable[tuple[float, float]]) -> Series:
        """A series of (unix seconds, value), in this order."""
        series = cls(labels)
        for at, value in samples:
            series.at.append(at)
            series.values.append(value)
        return series

    def __len__(self) -> int:
        return len(self.at)

    def within(self, start: float, end: float) -> Series:
        """The samples after `start` up to and with `end` (unix seconds)."""
        first, last = bisect_right(self.at, start), bisect_right(self.at, end)
        return Series(self.labels, self.at[first:last], self.values[first:last])


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one scrape of a page said of the wanted series. A series that the page did not have is not in it."""

    page: str
    """Which page: the target and the URL without credentials."""
    at: datetime
    selectors: tuple[str, ...]
    """What was wanted: all series of these, and no others, are in it."""
    labels: tuple[Mapping[str, str], ...]
    """Of each series, `__name__` among them."""
    values: array[float]

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.values):
            raise ValueError(f"a scrape has a value for each series: {len(self.labels)}, not {len(self.values)}")
