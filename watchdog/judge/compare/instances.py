"""Raw series by instance: what was scraped from one page at one time is counted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from watchdog.judge.compare.counts import Pod, RawSeries
from watchdog.judge.compare.tally import Member, Name
from watchdog.model.comparison import CompareKind
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series

Samples = Mapping[str, Sequence[Series]]
"""By the measure's key: `events`, `total`, `buckets`, `query`, `limit`, `per`."""


def members_of(measure: CompareMeasure, samples: Samples, edges: tuple[float, ...]) -> dict[Name, list[Member]]:
    """The counters of each instance: what was scraped from one page at one time."""
    found: list[Member] = []
    if measure.signal is CompareKind.latency:
        tracks = {float("inf"): 0, **{edge: number for number, edge in enumerate(edges, 1)}}
        known: dict[str, int | None] = {}
        for series in samples.get("buckets", ()):
            text = series.labels.get("le", "+Inf")
            if text not in known:
                known[text] = tracks.get(edge_of(text))
            if (track := known[text]) is not None:
                found.append((track, series))
    else:
        found = [(track, s) for track, name in enumerate(("total", "events")) for s in samples.get(name, ())]
    out: dict[Name, list[Member]] = {}
    for member in found:
        out.setdefault(_instance(member[1]), []).append(member)
    return out


def pods_of(measure: CompareMeasure, samples: Samples, edges: tuple[float, ...]) -> list[Pod]:
    """The same, ready to be counted."""
    latency = measure.signal is CompareKind.latency
    pods = []
    for members in members_of(measure, samples, edges).values():
        groups: list[list[Series]] = [[] for _ in range(1 + max(1, len(edges)))]
        for track, series in members:
            groups[track].append(series)
        total, *tracks = map(_raw, groups)
        pods.append(Pod(tracks=tuple(tracks), total=total, below=latency))
    return pods


def _instance(series: Series) -> Name:
    get = series.labels.get
    return (get("namespace", ""), get("pod", ""), get("instance", ""), get("job", ""))


def edge_of(text: str) -> float:
    """The number of a bucket's `le`."""
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _raw(series: Sequence[Series]) -> tuple[RawSeries, ...]:
    return tuple(RawSeries(np.frombuffer(s.at), np.frombuffer(s.values)) for s in series if len(s))
