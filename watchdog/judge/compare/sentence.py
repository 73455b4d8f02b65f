"""What a comparison found, in one plain sentence with its numbers."""

from __future__ import annotations

from math import exp, floor, log10

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


def of_level(what: str, before: float, after: float, blocks: int, ln_e: float, worse: float) -> str:
    """`cpu went from 0.21 to 0.43 (×2.0), mean of 7 min; …`."""
    if (after - before) * worse <= 0:
        return f"{what} is not worse: {after:.3g} as a mean of {blocks} min; {before:.3g} before"
    times = f" (×{after / before:.2g})" if before > 0 else ""
    return f"{what} went from {before:.3g} to {after:.3g}{times}, mean of {blocks} min; {odds(ln_e)}"


def of_growth(what: str, slope: float, before: float | None, seconds: float | None, level: float) -> str:
    """`memory grows by 5.2 % an hour (before: 0.1 %), and reaches its limit in 40 min`."""
    scale = 360000 / level if level else 0.0
    known = "" if before is None else f" (before, at this age: {_percent(before * scale)})"
    ends = "does not reach its limit" if seconds is None else f"reaches its limit in {_duration(seconds)}"
    return f"{what} grows by {_percent(slope * scale)} an hour{known}, and {ends}"


def _percent(number: float) -> str:
    """`5.2 %`, `1,040 %`."""
    return f"{number:,.0f} %" if abs(number) >= 10 else f"{number:.2g} %"


def of_failures(what: str, failures: float, tries: str, ln_e: float) -> str:
    """`3 restarts in 5 min; …`."""
    return f"{failures:.0f} {what} {tries}; {odds(ln_e)}"


def cannot_see(factor: float | None, seconds: float, per_second: float) -> str:
    """What this traffic can't show: `cannot detect less than ×3 in 10 min at 0.2 requests/s`."""
    often = f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"
    at = f"in {_duration(seconds)} at {often} requests/s"
    if factor is None:
        return f"cannot detect any rise {at}: probes and crashes are what counts"
    return f"cannot detect less than ×{factor:.2g} {at}"


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
