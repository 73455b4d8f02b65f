"""The short bench's pass or fail: false rollbacks within the budget, detection not a tenth below the reference."""

from __future__ import annotations

from collections.abc import Mapping

from scipy.special import betaincinv

from bench.rollback.running import WAYS
from bench.rollback.scenarios import GOOD
from bench.rollback.scores import Cell, Key
from watchdog.judge.compare.pooling import BUDGET

REFERENCE_FILE = "reference.json"
QUICK_NOISES = ("binomial", "over-dispersed")
QUICK_RATES = (1.0, 100.0)
QUICK_NAMES = (
    "errors 1→5 %", "errors 1→2 %", "errors 1→30 %", "latency ×1.5", "latency ×1.2", "1→5 % after 5 min", "CPU ×2",
    "crash loop", "nothing changes", "cold start, learnt", "traffic ×1/3", "10 % of scrapes missing", "pod churn",
    "an improvement",
)  # fmt: skip
_TENTH = 0.9
_ROOM = 0.1
"""Of seconds, for the same reason."""

Numbers = dict[str, dict[str, float]]


def measured(scores: Mapping[Key, Cell]) -> Numbers:
    """Our cells as plain numbers, by a name that people can read."""
    out = {}
    for (noise, rate, scenario, way), cell in scores.items():
        if way == WAYS[0]:
            numbers = {"runs": float(cell.runs), "tripped": float(cell.tripped)}
            if cell.tripped:
                numbers["median"] = cell.median
            out[f"{scenario}; {noise}; {rate:g}/s"] = numbers
    return out


def complaints(now: Numbers, reference: Numbers) -> list[str]:
    """What got worse, in words; nothing if all is well.

    A cell of good deploys is over the budget where even the lower bound of its share (one-sided 95 %, all cells
    together) is over it; all good cells together, where their share is. Missing scenarios are a complaint too.
    """
    good = {scenario.name for scenario in GOOD}
    out = [f"{name}: is in the reference and was not measured" for name in reference.keys() - now.keys()]
    calm = {name: cell for name, cell in now.items() if name.split("; ")[0] in good}
    for name, cell in sorted(calm.items()):
        lower = _lower(cell["tripped"], cell["runs"], 0.05 / len(calm))
        if lower > BUDGET:
            out.append(
                f"{name}: {cell['tripped']:.0f} of {cell['runs']:.0f} good deploys rolled back; budget {BUDGET:.0%}"
            )
    tripped, runs = (sum(cell[part] for cell in calm.values()) for part in ("tripped", "runs"))
    if tripped > BUDGET * runs:
        out.append(f"all good deploys: {tripped:.0f} of {runs:.0f} rolled back; budget {BUDGET:.0%}")
    for name, cell in sorted(now.items()):
        known = reference.get(name)
        if known is None or name in calm:
            continue
        was, found = known["tripped"] / known["runs"], cell["tripped"] / cell["runs"]
        if found < _TENTH * was:
            out.append(f"{name}: {found:.0%} found; the reference is {was:.0%}")
        elif "median" in known and was > 0.5 and cell.get("median", 1e9) > known["median"] * (1 + _ROOM) + 15:
            out.append(f"{name}: found in {cell['median']:.0f} s; the reference is {known['median']:.0f} s")
    return out


def _lower(tripped: float, runs: float, doubt: float) -> float:
    return float(betaincinv(tripped, runs - tripped + 1, doubt)) if tripped else 0.0
