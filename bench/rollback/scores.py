"""What came out, as numbers: shares with their Clopper-Pearson bounds, times to detect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


Key = tuple[str, float, str, str]
"""Noise, rate, scenario, way."""


def table(answers: Iterable[Answer]) -> dict[Key, Cell]:
    """All answers, chunks put together."""
    when: dict[Key, list[Array]] = {}
    blank: dict[tuple[str, float, str], list[float]] = {}
    for answer in answers:
        noise, rate = answer.task.noise.name, answer.task.rate
        for scenario, ways in answer.when.items():
            blank.setdefault((noise, rate, scenario), []).append(answer.inconclusive[scenario])
            for way, seconds in ways.items():
                when.setdefault((noise, rate, scenario, way), []).append(seconds)
    return {key: _cell(np.concatenate(parts), float(np.mean(blank[key[:3]]))) for key, parts in when.items()}


def _cell(seconds: Array, inconclusive: float) -> Cell:
    found = seconds[~np.isnan(seconds)]
    middle, late = np.percentile(found, [50, 90]) if len(found) else (np.nan, np.nan)
    return Cell(len(seconds), len(found), float(middle), float(late), inconclusive)


def by_budget(answers: Iterable[Answer], noise: str, scenario: str) -> Array:
    """Our largest pooled ln E of every watch of a scenario, at all rates."""
    return np.concatenate([a.most[scenario] for a in answers if a.task.noise.name == noise and scenario in a.most])
