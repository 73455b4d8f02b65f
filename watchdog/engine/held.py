"""What the looks of a compare rule so far came to, in this process's memory: the next look asks only for what is new.

Nothing of it is needed: after a restart, or where another question is asked, all samples since the deploy are read
again, and say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from watchdog.model.comparison import Calibration
from watchdog.model.measurement import Observation
from watchdog.model.rule import CompareMeasure

if TYPE_CHECKING:
    from watchdog.judge.compare.following import Carried

OVERLAP_SECONDS, OVERLAP_INTERVALS = 120.0, 8
"""How late a sample may come in and is still counted; the longer of the two. So much is read again at each look."""
MOST = 1_000_000
"""Bytes held for all compare rules of one watch. A rule that needs more than its share is read whole at each look."""


class Asked(NamedTuple):
    """What must be the same for samples to go on with earlier ones."""

    measure: CompareMeasure
    """With its templates filled in."""
    began: float
    proving: bool
    pods: str
    """A pattern of the new version's pods."""
    calibration: Calibration


@dataclass(frozen=True)
class Held:
    """What was made of the samples of one question so far."""

    asked: Asked
    carried: Carried


class Answer(NamedTuple):
    """What a look found, and what to hold for the next one."""

    observation: Observation
    held: Held | None = None

    def within(self, most: float) -> Held | None:
        """What is to be held, if it needs no more bytes than `most`."""
        return self.held if self.held is not None and self.held.carried.size <= most else None


def read_until(begin: float, now: float, interval: float, before: float) -> float:
    """Up to when all samples will have come in: a whole number of intervals after `begin`, so that an expression is
    evaluated at the same moments at each look; never before `before`."""
    late = max(OVERLAP_SECONDS, OVERLAP_INTERVALS * interval)
    steps = max(0, int((now - late - begin) / interval + 1e-6))
    return max(before, begin + steps * interval)
