"""Reads series as promtool writes them: `0.2x4 1.8+0.1x8 _ NaN error [1 2 3]`, one item per measurement or run of them.

a         one measurement that answers the number a (also NaN, Inf, -Inf)
axN       a, and N times more: N + 1 in all, as in promtool
a+bxN     a, a+b, … a+N*b: N + 1 in all; a-bxN counts down
[a b c]   one measurement that answers several series; [] answers none; [a b c]xN: N + 1 in all
_         one measurement without data; _xN: N in all; `stale` is the same as _
error     one measurement whose source failed; errorxN: N in all
"""

from __future__ import annotations

import re

from watchdog.errors import BadConfig
from watchdog.model.measurement import Observation, Sample

MOST = 100_000
"""Measurements of one line."""

_NUMBER = r"(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|Inf|NaN)"
_RUN = re.compile(rf"(?P<first>[+-]?{_NUMBER})(?:(?P<sign>[+-])(?P<step>{_NUMBER})(?=x))?(?:x(?P<times>\d{{1,9}}))?")
_SEVERAL = re.compile(r"\[(?P<items>[^\[\]]*)\](?:x(?P<times>\d{1,9}))?")
_NOTHING = re.compile(r"(?P<word>_|stale|error)(?:x(?P<times>\d{1,9}))?")
_ITEM = re.compile(r"\[[^\]]*\]?\S*|\S+")

NO_DATA = Observation(query="")
ERROR = Observation(query="", error="the source failed")


def read_series(text: str) -> tuple[Observation, ...]:
    """What each measurement answers, in order. Raises BadConfig that names the item that can't be read."""
    observations: list[Observation] = []
    for item in _ITEM.findall(text):
        times = re.search(r"x(\d+)$", item)
        if len(observations) + (int(times[1][:9]) if times else 1) > MOST:
            raise BadConfig(f"more than {MOST} measurements at {item!r}")
        observations += _item(item)
    if not observations:
        raise BadConfig("there are no values; write for example 0.2x4 1.8x8")
    return tuple(observations)


def _item(item: str) -> list[Observation]:
    if found := _NOTHING.fullmatch(item):
        answer = ERROR if found["word"] == "error" else NO_DATA
        return [answer] * int(found["times"] or 1)
    if found := _SEVERAL.fullmatch(item):
        return [_several(item, found["items"].split())] * (int(found["times"] or 0) + 1)
    if found := _RUN.fullmatch(item):
        first, step = float(found["first"]), float((found["sign"] or "+") + (found["step"] or "0"))
        return [_one(first + n * step if n else first) for n in range(int(found["times"] or 0) + 1)]
    forms = "a number, axN, a+bxN, _, _xN, NaN, error or [1 2 3]"
    raise BadConfig(f"{item!r} is not a value; expected {forms}")


def _one(value: float) -> Observation:
    return Observation(query="", samples=(Sample(value=value),))


def _several(item: str, numbers: list[str]) -> Observation:
    """Each series is labelled with its place, so that reasons can name it."""
    wrong = next((n for n in numbers if not re.fullmatch(f"[+-]?{_NUMBER}", n)), None)
    if wrong is not None:
        raise BadConfig(f"{wrong!r} in {item!r} is not a number; write numbers with spaces between them")
    samples = (Sample(value=float(n), labels={"series": str(place)}) for place, n in enumerate(numbers, start=1))
    return Observation(query="", samples=tuple(samples))
