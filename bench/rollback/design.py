"""The numbers that the engine's design was measured with before it was built, and where ours are not as good.

They are from a simulation of its own, of the same services, noise and scrapes; the bench has no part in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from bench.rollback import limits
from bench.rollback.running import WAYS
from bench.rollback.scenarios import BAD
from bench.rollback.scores import Cell
from bench.rollback.tables import Scores, percent, seconds

SOURCE = "the design's reference"
NOISE = "over-dispersed"
"""The kind of noise with which they were measured."""


@dataclass(frozen=True)
class Known:
    """Percent rolled back, and the median seconds to it."""

    percent: float
    seconds: float = nan


REFERENCE = {
    "nothing changes": {1.0: Known(0), 10.0: Known(0), 100.0: Known(0.8), 1000.0: Known(0.5)},
    "errors 1→5 %": {1.0: Known(88, 255), 10.0: Known(100, 105), 100.0: Known(100, 90), 1000.0: Known(100, 90)},
    "latency ×1.5": {1.0: Known(93, 218), 10.0: Known(100, 75), 100.0: Known(100, 75), 1000.0: Known(100, 75)},
}


def shown(scenario: str, rates: Sequence[float]) -> str:
    """One cell of the table of all ways; empty where the design has no number."""
    if scenario not in REFERENCE:
        return ""
    known = [REFERENCE[scenario][rate] for rate in rates]
    text = " / ".join(percent(each.percent / 100) for each in known) + " %"
    if scenario != "nothing changes":
        text += " in " + " / ".join(seconds(each.seconds) for each in known) + " s"
    return text


def compared(scores: Scores, rates: Sequence[float]) -> str:
    """How many of the design's cells are met, and a line for each that is not."""
    lines, many = [], 0
    for scenario, by_rate in REFERENCE.items():
        for rate in rates:
            many += 1
            cell = scores[NOISE, rate, scenario, WAYS[0]]
            found = behind(scenario, cell, by_rate[rate])
            if found:
                lines.append(f"- {scenario}, {rate:g}/s: {found}{_limit(scenario, rate)}")
    head = f"With {NOISE} noise, {many - len(lines)} of {many} cells are as good as {SOURCE} or better"
    return "\n".join([head + ("; not these:\n" if lines else "."), *lines])


def behind(scenario: str, cell: Cell, known: Known) -> str:
    """In what the cell is not as good, with the numbers; empty if it is. Shares are compared as they are printed."""
    low, high = (100 * bound for bound in cell.interval)
    span = f"95 % interval {percent(low / 100)}–{percent(high / 100)}"
    luck = ", which holds the reference" if low <= known.percent <= high else ""
    ours, theirs = float(percent(cell.share)), float(percent(known.percent / 100))
    if scenario not in _BAD:
        return f"{percent(cell.share)} % rolled back ({span}{luck}); {SOURCE} is {theirs:g} %" if ours > theirs else ""
    out = []
    if ours < theirs:
        out.append(f"{percent(cell.share)} % found ({span}{luck}); {SOURCE} is {theirs:g} %")
    if not cell.median <= known.seconds:
        out.append(f"found in {seconds(cell.median)} s; {SOURCE} is {known.seconds:g} s")
    return "; ".join(out)


_BAD = {scenario.name for scenario in BAD}


def _limit(scenario: str, rate: float) -> str:
    """How long any test needs, for a bad deploy; for a good one, where to read what fewer rollbacks would cost."""
    if scenario not in _BAD:
        return "; what fewer cost is below"
    for each in BAD:
        if each.name == scenario and (limit := limits.limit_of(each)) is not None:
            return f"; any test needs {limit.any_test:,.0f} requests, {limit.any_test / rate:.3g} s"
    return ""
