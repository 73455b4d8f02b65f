"""Results as values, and the table they are shown in: Markdown, for docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Baseline:
    """What a result is compared with: the median of something simpler, measured in the same run and unit."""

    what: str
    value: float


@dataclass(frozen=True)
class Result:
    """One thing measured, several times. `aim`: its median should be below this."""

    name: str
    unit: str
    values: tuple[float, ...]
    aim: float | None = None
    baseline: Baseline | None = None

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    @property
    def missed(self) -> bool:
        """Whether there is an aim, and the median is not below it."""
        return self.aim is not None and self.median >= self.aim

    @property
    def ratio(self) -> float | None:
        """How many times the baseline it is; None without one, or with one of zero."""
        if self.baseline is None or self.baseline.value <= 0:
            return None
        return self.median / self.baseline.value


@dataclass(frozen=True)
class Skipped:
    """What was not measured, because this is missing here."""

    name: str
    missing: str


Row = Result | Skipped

HEADINGS = ("measurement", "unit", "median", "min", "max", "runs", "aim", "ratio", "to the baseline")


def number(value: float) -> str:
    """Three significant digits: more would pretend."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def cells(row: Row) -> tuple[str, ...]:
    """A row's cells, in the order of HEADINGS."""
    if isinstance(row, Skipped):
        return (row.name, "", f"skipped: {row.missing}", *("",) * (len(HEADINGS) - 3))
    aim = "" if row.aim is None else f"< {row.aim:g}: {'MISSED' if row.missed else 'met'}"
    ratio, against = "", ""
    if row.baseline is not None:
        against = f"{row.baseline.what}: {number(row.baseline.value)}"
        ratio = "" if row.ratio is None else f"{number(row.ratio)} x"
    spread = (number(row.median), number(min(row.values)), number(max(row.values)), str(len(row.values)))
    return (row.name, row.unit, *spread, aim, ratio, against)


def table(facts: Mapping[str, str], rows: Sequence[Row]) -> str:
    """The machine and the versions, then a line for each result."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    body = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in body) for column in range(len(HEADINGS))]
    written = [_line(line, widths) for line in body]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([*lines, "", written[0], rule, *written[1:]])


def _line(line: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
