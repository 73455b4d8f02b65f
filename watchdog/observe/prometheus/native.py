"""Native histograms as the classic cumulative series that the judge counts with: pure.

A native sample lists the buckets that counted something: (left, right], and how many. The classic form has, for each
edge `le`, how many were at most `le`. Nothing is interpolated: an edge that lies inside a bucket of any sample of the
series (it was wider then: fewer buckets, a wider zero bucket) is left out, so every count is exact. Buckets get wider
by merging two, so the edges that remain are those of the coarsest sample. The format:
https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from watchdog.model.series import Series
from watchdog.observe.prometheus.promql import BadAnswer


class NativeSamples:
    """The samples of one native histogram, kept compactly until all of them are known."""

    def __init__(self) -> None:
        self.at = array("d")
        self._counts = array("d")
        self._buckets: list[tuple[array[float], array[float], array[float]]] = []

    def add(self, at: float, histogram: Any) -> int:
        """One sample `{"count": "…", "buckets": [[rule, "left", "right", "count"], …]}`. Returns how many numbers it
        took. Raises BadAnswer."""
        try:
            count = float(histogram["count"])
            rows = [[float(part) for part in bucket[1:4]] for bucket in histogram.get("buckets") or ()]
            left, right, counted = (array("d", (row[i] for row in rows)) for i in range(3))
        except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
            raise BadAnswer(f"a native histogram of the answer does not read: {repr(histogram)[:200]}") from error
        self.at.append(at)
        self._counts.append(count)
        self._buckets.append((left, right, counted))
        return 3 * len(rows) + 2

    def count_series(self, labels: Mapping[str, str]) -> Series:
        """How many were observed in all, as the classic `…_count`."""
        return Series(labels, self.at, self._counts)

    def bucket_series(self, labels: Mapping[str, str]) -> list[Series]:
        """The classic `…_bucket` series, one for each edge, `+Inf` last, all with the same times."""
        edges = _exact_edges({pair for left, right, _ in self._buckets for pair in zip(left, right, strict=True)})
        columns = [array("d") for _ in edges]
        for left, right, counted in self._buckets:
            _accumulate(edges, columns, sorted(zip(left, right, counted, strict=True)))
        named = [Series({**labels, "le": _text(edge)}, self.at, col) for edge, col in zip(edges, columns, strict=True)]
        return [*named, Series({**labels, "le": "+Inf"}, self.at, self._counts)]


def _exact_edges(buckets: Iterable[tuple[float, float]]) -> list[float]:
    """The finite bounds of these buckets that lie inside none of them."""
    found = set(buckets)
    edges = sorted({bound for bucket in found for bound in bucket if math.isfinite(bound)})
    inside = {edge for left, right in found for edge in edges[bisect_right(edges, left) : bisect_left(edges, right)]}
    return [edge for edge in edges if edge not in inside]


def _accumulate(
    edges: Sequence[float], columns: Sequence[array[float]], buckets: Sequence[tuple[float, float, float]]
) -> None:
    total, at = 0.0, 0
    for edge, column in zip(edges, columns, strict=True):
        while at < len(buckets) and buckets[at][1] <= edge:
            total += buckets[at][2]
            at += 1
        column.append(total)


def _text(edge: float) -> str:
    return repr(edge).removesuffix(".0")
