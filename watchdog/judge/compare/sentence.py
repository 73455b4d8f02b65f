"""What a comparison found, in one plain sentence with its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, floor, log10

from watchdog.model.numbers import plain

_CERTAIN = 20.0
"""ln E above which the odds are not written out: 1 in 485 million says no more than this does."""


def share(rate: float) -> str:
    """A share as people write it: `0.11 %`, `4.9 %`, `63 %`."""
    percent = 100 * rate
    if percent == 0 or percent >= 10:
        return f"{percent:.0f} %"
    digits = max(1, 1 - floor(log10(percent)))
    return f"{percent:.{digits}f} %"


def odds(ln_e: float) -> str:
    """How often chance alone does this: at most 1 in E times (Ville's inequality), with two digits."""
    if ln_e <= 0:
        return "nothing unusual"
    if ln_e > _CERTAIN:
        return "a change this large by chance: less than 1 in 100 million"
    e = exp(ln_e)
    if e < 10:
        return f"chance alone does as much once in {e:.1f} watches"
    step = 10 ** (floor(log10(e)) - 1)
    return f"a change this large by chance: less than 1 in {floor(e / step) * step:,}"


def of_requests(what: str, before: float, after: float, events: float, total: float, ln_e: float) -> str:
    """`errors went from 0.11 % to 4.9 %, 63 of 1,284 requests; …`."""
    counts = f"{events:,.0f} of {total:,.0f} requests"
    if after <= before:
        return f"{what} are not worse: {share(after)}, {counts}; {share(before)} before"
    return f"{what} went from {share(before)} to {share(after)}, {counts}; {odds(ln_e)}"


def of_level(
    what: str, before: float, after: float, blocks: int, ln_e: float, worse: float, views: Mapping[str, bool]
) -> str:
    """`cpu went from 0.21 to 0.43 (×2.0), mean of 7 min, and per unit of work; …`. `views`: whether each agrees."""
    if (after - before) * worse <= 0:
        return f"{what} is not worse: {plain(after)} as a mean of {blocks} min; {plain(before)} before"
    times = f" (×{plain(after / before, 2)})" if before > 0 else ""
    said = "".join(f", {'and' if agrees else 'but not'} {view}" for view, agrees in views.items())
    return f"{what} went from {plain(before)} to {plain(after)}{times}, mean of {blocks} min{said}; {odds(ln_e)}"


def of_growth(
    what: str, slope: float, before: float | None, seconds: float | None, level: float, limit: float | None
) -> str:
    """`memory grows by 5.2 % an hour (before: 0.1 %), and reaches its limit in 40 min`."""
    scale = 360000 / level if level else 0.0
    known = "" if before is None else f" (before, at this age: {_percent(before * scale)})"
    ends = ", and does not reach its limit" if seconds is None else f", and reaches its limit in {_duration(seconds)}"
    if limit is None:
        ends = "; no limit is known: it never rolls back"
    return f"{what} grows by {_percent(slope * scale)} an hour{known}{ends}"


def _percent(number: float) -> str:
    """`5.2 %`, `1,040 %`."""
    return f"{plain(number, 2)} %"


def of_restarts(count: float, seconds: float, ln_e: float) -> str:
    """`3 restarts in 300 s; …`."""
    return f"{count:.0f} restart{'' if count == 1 else 's'} in {seconds:.0f} s; {odds(ln_e)}"


def of_probes(failed: float, made: float, ln_e: float) -> str:
    """`3 of 40 probes failed; …`."""
    return f"{failed:.0f} of {made:.0f} probe{'' if made == 1 else 's'} failed; {odds(ln_e)}"


def beside(sentence: str, others: Sequence[str]) -> str:
    """A rule's sentence, with what spoke beside it: `…; together with 1 restart in 140 s`."""
    return f"{sentence}; together with {' and '.join(others)}" if others else sentence


def cannot_see(factor: float | None, seconds: float, per_second: float) -> str:
    """What this traffic can't show: `cannot detect less than ×3 in 10 min at 0.2 requests/s`."""
    at = f"in {_duration(seconds)} at {plain(per_second, 2)} requests/s"
    if factor is None:
        return f"cannot detect any rise {at}: probes and crashes are what counts"
    return f"cannot detect less than ×{plain(factor, 2)} {at}"


def start_from(deploys: int, seconds: float, enough: int) -> str:
    """Where the length of the start-up comes from."""
    if deploys < enough:
        return f"only {deploys} earlier good deploys are known: the first {seconds:.0f} s are left out"
    if seconds <= 0:
        return f"its {deploys} earlier good deploys looked normal at once: counted from the first scrape"
    return f"its {deploys} earlier good deploys took a while to settle: counted from {seconds:.0f} s on"


def phi_from(placebos: int, fewest: int) -> str:
    """Where φ comes from."""
    if placebos < fewest:
        return f"2-min blocks of the last half hour: only {placebos} pretend watches fit into the history"
    return f"{placebos} pretend watches of the history"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
