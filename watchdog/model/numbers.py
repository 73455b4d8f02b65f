"""Numbers as people write them: `0.0021`, `4.9`, `490`, `1,040`; never `4.9e+02`."""

from __future__ import annotations

from math import floor, isfinite, log10


def plain(value: float, digits: int = 3) -> str:
    """The value with at least so many significant digits, and without those that say nothing."""
    if value == 0 or not isfinite(value):
        return f"{value:g}"
    decimals = digits - 1 - floor(log10(abs(value)))
    if decimals <= 0:
        return f"{value:,.0f}"
    written = f"{value:,.{decimals}f}"
    return written.rstrip("0").rstrip(".")
