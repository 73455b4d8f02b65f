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
    together) is; all good cells together, where their share is. A cell of bad deploys is worse where a tenth fewer are
    found and that is no matter of luck (one-sided 99 %), or where it takes a tenth longer and a scrape more.
    """
    good = {scenario.name for scenario in GOOD}
    calm = {name: cell for name, cell in now.items() if name.split("; ")[0] in good}
    bad = {name: (cell, reference[name]) for name, cell in now.items() if name in reference and name not in calm}
    out = [f"{name}: is in the reference and was not measured" for name in sorted(reference.keys() - now.keys())]
    return out + _over_budget(calm) + _worse(bad)


def _over_budget(calm: Numbers) -> list[str]:
    out = []
    for name, cell in sorted(calm.items()):
        if _bound(cell, 0.05 / len(calm), upper=False) > BUDGET:
            out.append(f"{name}: {_of(cell)} good deploys rolled back; the budget is {BUDGET:.0%}")
    every = {part: sum(cell[part] for cell in calm.values()) for part in ("tripped", "runs")}
    if every["tripped"] > BUDGET * every["runs"]:
        out.append(f"all good deploys: {_of(every)} rolled back; the budget is {BUDGET:.0%}")
    return out


def _worse(bad: Mapping[str, tuple[dict[str, float], dict[str, float]]]) -> list[str]:
    out = []
    for name, (cell, known) in sorted(bad.items()):
        was, found = known["tripped"] / known["runs"], cell["tripped"] / cell["runs"]
        if found < _TENTH * was and _bound(cell, 0.01, upper=True) < was:
            out.append(f"{name}: {found:.0%} found; the reference is {was:.0%}")
        elif was > 0.5 and cell.get("median", 1e9) > known["median"] * (2 - _TENTH) + 15:
            out.append(f"{name}: found in {cell['median']:.0f} s; the reference is {known['median']:.0f} s")
    was, found = (sum(pair[i]["tripped"] / pair[i]["runs"] for pair in bad.values()) for i in (1, 0))
    if found < _TENTH * was:
        out.append(f"all bad deploys: {found / len(bad):.0%} found; the reference is {was / len(bad):.0%}")
    return out


def _of(cell: Mapping[str, float]) -> str:
    return f"{cell['tripped']:.0f} of {cell['runs']:.0f}"


def _bound(cell: Mapping[str, float], doubt: float, *, upper: bool) -> float:
    """Clopper-Pearson, one-sided."""
    k, n = cell["tripped"], cell["runs"]
    if upper:
        return float(betaincinv(k + 1, n - k, 1 - doubt)) if k < n else 1.0
    return float(betaincinv(k, n - k + 1, doubt)) if k else 0.0
