"""What came out, as numbers: shares with their Clopper-Pearson bounds and Wilson intervals, times to detect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from scipy.special import betaincinv

from bench.rollback.running import Answer
from watchdog.judge.compare.arrays import Array


@dataclass(frozen=True)
class Cell:
    """One way on one scenario at one rate and noise. Times are seconds after the deploy; NaN where never."""

    runs: int
    tripped: int
    median: float
    tenth: float
    """The 90th percentile of the time to detect."""
    inconclusive: float
    phi: Mapping[str, float] = field(default_factory=dict)
    """By signal, the median of the services."""

    @property
    def share(self) -> float:
        """Of deploys that were rolled back."""
        return self.tripped / self.runs

    @property
    def upper(self) -> float:
        """The share's upper bound, one-sided at 95 % (Clopper-Pearson)."""
        if self.tripped == self.runs:
            return 1.0
        return float(betaincinv(self.tripped + 1, self.runs - self.tripped, 0.95))

    @property
    def interval(self) -> tuple[float, float]:
        """The share's interval, two-sided at 95 % (Wilson)."""
        n, p, z = self.runs, self.share, 1.96
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
        return max(0.0, middle - half), min(1.0, middle + half)


Key = tuple[str, float, str, str]
"""Noise, rate, scenario, way."""


def table(answers: Iterable[Answer]) -> dict[Key, Cell]:
    """All answers, chunks put together."""
    when: dict[Key, list[Array]] = {}
    blank: dict[tuple[str, float, str], list[float]] = {}
    phi: dict[tuple[str, float, str], list[Mapping[str, float]]] = {}
    for answer in answers:
        noise, rate = answer.task.noise.name, answer.task.rate
        for scenario, ways in answer.when.items():
            blank.setdefault((noise, rate, scenario), []).append(answer.inconclusive[scenario])
            phi.setdefault((noise, rate, scenario), []).append(answer.phi)
            for way, seconds in ways.items():
                when.setdefault((noise, rate, scenario, way), []).append(seconds)
    return {
        key: _cell(np.concatenate(parts), float(np.mean(blank[key[:3]])), phi[key[:3]]) for key, parts in when.items()
    }


def _cell(seconds: Array, inconclusive: float, phi: Sequence[Mapping[str, float]]) -> Cell:
    found = seconds[~np.isnan(seconds)]
    middle, late = np.percentile(found, [50, 90]) if len(found) else (np.nan, np.nan)
    typical = {name: float(np.median([each[name] for each in phi])) for name in phi[0]}
    return Cell(len(seconds), len(found), float(middle), float(late), inconclusive, typical)
