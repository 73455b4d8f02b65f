"""What can be asked of a page's own history: a selector, the rate of one, or a number. Pure.

PromQL's smallest part, for hosts without Prometheus; one process has few series, so there is nothing to sum.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta

from watchdog.model.base import parse_duration
from watchdog.observe.selector import BadSelector, Selector, parse_selector

_RATE = re.compile(r"\s*rate\s*\(\s*(.*)\[\s*([0-9a-z]+)\s*\]\s*\)\s*", re.DOTALL)
_CALL = re.compile(r"\s*[a-zA-Z_]+\s*(?:\(|by\b|without\b)")


class BadExpression(BadSelector):
    """Not what a page can be asked; the message says what can be."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One of: a selector (its series' values), a selector with a window (their rates), a number."""

    selector: Selector | None = None
    window: timedelta | None = None
    number: float = math.nan


def parse_expression(text: str) -> Expression:
    """Read an expression. Raises BadSelector."""
    try:
        return Expression(number=float(text))
    except ValueError:
        pass
    if rate := _RATE.fullmatch(text):
        try:
            window: timedelta = parse_duration(rate[2])
        except ValueError as error:
            raise BadExpression(f"{text!r}: {error}") from error
        return Expression(parse_selector(rate[1].strip()), window)
    if _CALL.match(text):
        raise BadExpression(
            f"{text!r} cannot be asked of a page: it can be a selector, rate(SELECTOR[1m]) or a number; "
            "other expressions need Prometheus"
        )
    return Expression(parse_selector(text))
