"""How numbers are written on the bench's page: shares, seconds, tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isnan

from bench.rollback.running import WAYS
from bench.rollback.scores import Cell, Key

Scores = Mapping[Key, Cell]


def by_rate(
    scores: Scores, noise: str, rates: Sequence[float], names: Sequence[str], shown: Callable[[Cell], str]
) -> str:
    """A table of our engine's cells: a row for each scenario, a column for each rate."""
    rows = [[f"{noise} noise", *(f"{rate:g}/s" for rate in rates)]]
    rows += [[name, *(shown(scores[noise, rate, name, WAYS[0]]) for rate in rates)] for name in names]
    return markdown(rows)


def slashed(rates: Sequence[float]) -> str:
    """`1 / 10 / 100`."""
    return " / ".join(f"{rate:g}" for rate in rates)


def false_share(cell: Cell) -> str:
    """`.4 [.1–1.3] (1.1)`: the share, its interval if there is something to doubt, its upper bound; percent."""
    low, high = cell.interval
    between = f" [{percent(low)}–{percent(high)}]" if cell.tripped else ""
    return f"{percent(cell.share)}{between} ({percent(cell.upper)})"


def percent(share: float) -> str:
    """`0`, `.4`, `12`."""
    value = 100 * share
    if value == 0 or value >= 9.95:
        return f"{value:.0f}"
    return f"{value:.1f}".removeprefix("0")


def seconds(value: float) -> str:
    """Whole seconds, or a dash."""
    return "–" if isnan(value) else f"{value:.0f}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table; the first row is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
