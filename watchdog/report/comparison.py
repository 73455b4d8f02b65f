"""How a `compare` rule came to its verdict, for people and machines: counts before and after, bounds, the evidence.

Crash and probe rules that lend evidence to compare rules are shown in the same way.

Pure, from what was stored with the watch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, log

from rich.table import Table
from rich.text import Text

from watchdog.model.base import Value
from watchdog.model.comparison import Calibration, CountCalibration, Finding, LevelCalibration
from watchdog.model.measurement import Measurement
from watchdog.model.numbers import plain
from watchdog.model.watch import Watch
from watchdog.report.plain import JsonNumber, number
from watchdog.report.render import DIM, span, words

BARS = "▁▂▃▄▅▆▇█"
LENT_GROUP = "failures"
"""Restarts and probes, as judge/compare calls them; it is not imported here, since it loads numpy."""


class EvidencePoint(Value):
    """The evidence of a compare rule after one look."""

    seconds: float
    """Since the watch opened."""
    ln_e: JsonNumber


class ComparisonView(Value):
    """How a `compare` rule judged: what before and after, by which bounds, and how the evidence grew. Or what a crash
    or probe rule lent to the evidence of compare rules."""

    signal: str
    """ratio, latency, level, growth; restarts or probes are lent."""
    lent: str = ""
    """What a crash or probe rule said in the end, in one sentence; its own condition is what trips it."""
    sees: str = ""
    """What this traffic could show."""
    before: float | None = None
    """A share of requests, or the gauge's level, of the version before."""
    after: float | None = None
    events_before: float | None = None
    total_before: float | None = None
    events_after: float | None = None
    total_after: float | None = None
    p_star: float | None = None
    """The largest share that the history still allows."""
    phi: float | None = None
    """How many times noisier than chance this service is."""
    phi_from: str = ""
    start_from: str = ""
    also: tuple[str, ...] = ()
    """Of a level: the other views that must agree, and how the gauge was in them."""
    tier: str | None = None
    """gross or fine: the one with more of the evidence."""
    group: str
    weight: float
    """Its share of the budget."""
    ln_e: JsonNumber
    needed_ln_e: JsonNumber
    """What all compare rules need together."""
    course: tuple[EvidencePoint, ...] = ()


def comparison_view(name: str, watch: Watch, made: Sequence[Measurement]) -> ComparisonView | None:
    """The rule's comparison, from its measurements in order; None where it had nothing to compare with."""
    looks = [(m, m.finding) for m in made if m.finding is not None and m.phase == "watch"]
    calibration = watch.calibrations.get(name)
    if not looks or (calibration is None and looks[-1][1].group != LENT_GROUP):
        return None
    finding = looks[-1][1]
    counts = calibration if isinstance(calibration, CountCalibration) else None
    return ComparisonView(
        signal=_signal(calibration, finding),
        lent=finding.sentence if calibration is None else "",
        sees=counts.sees if counts else "",
        start_from=counts.start_from if counts else "",
        also=_also(calibration) if isinstance(calibration, LevelCalibration) else (),
        needed_ln_e=number(log(1 / watch.budget)),
        ln_e=number(finding.ln_e),
        phi_from=finding.phi_from or "",
        course=tuple(
            EvidencePoint(seconds=(m.at - watch.opened_at).total_seconds(), ln_e=number(found.ln_e))
            for m, found in looks
        ),
        **finding.model_dump(include=_SHOWN),
    )


def _signal(calibration: Calibration | None, finding: Finding) -> str:
    if calibration is None:
        return "restarts" if finding.total_after is None else "probes"
    if isinstance(calibration, CountCalibration):
        return calibration.kind.value
    return "level" if isinstance(calibration, LevelCalibration) else "growth"


def _also(calibration: LevelCalibration) -> tuple[str, ...]:
    said = (f"per unit of work: {plain(calibration.per.median)} before",) if calibration.per else ()
    known = [x for x in calibration.yesterday if x is not None]
    return (*said, *((f"the same time yesterday: {plain(sum(known) / len(known))}",) if known else ()))


_SHOWN = {
    "before", "after", "events_before", "total_before", "events_after", "total_after", "p_star", "phi", "tier", "group",
    "weight",
}  # fmt: skip


def comparison_text(view: ComparisonView) -> Table:
    """As `explain` prints it: a row for each thing that the verdict was made of."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, said in _measured(view):
        grid.add_row(name, words(said))
    if view.also:
        grid.add_row("also", words("; ".join(view.also)))
    if view.p_star is not None:
        grid.add_row("allowed", words(f"p* = {plain(100 * view.p_star)} %: what the history does not rule out"))
    if view.phi is not None:
        grid.add_row("noise", words(f"φ = {plain(view.phi)}, from {view.phi_from}"))
    if view.start_from:
        grid.add_row("start", words(view.start_from))
    if view.sees:
        grid.add_row("could see", words(view.sees))
    share = f"{view.group}, {plain(100 * view.weight)} % of the budget"
    tier = f", {view.tier} tier" if view.tier else ""
    grid.add_row("evidence", _evidence(view).append(f"  {share}{tier}", style=DIM))
    return grid


def _measured(view: ComparisonView) -> Iterator[tuple[str, str]]:
    """What was counted or measured, before the deploy and after it."""
    if view.lent:
        yield "lent", view.lent
        if view.before:
            yield "before", f"{plain(100 * view.before)} % failed before this deploy"
        elif view.events_before:
            yield "before", f"restarts in the hour before this deploy: {view.events_before:.0f}"
    elif view.total_before:
        yield "before", _share(view.events_before or 0.0, view.total_before)
    elif view.before is not None:
        yield "before", plain(view.before, 4)
    if view.events_after is not None and view.total_after:
        yield "after", _share(view.events_after, view.total_after)
    elif view.after is not None and not view.lent:
        yield "after", plain(view.after, 4)


def _share(events: float, total: float) -> str:
    return f"{events:,.0f} of {total:,.0f} ({plain(100 * events / total)} %)"


def _evidence(view: ComparisonView) -> Text:
    course = [float(point.ln_e) for point in view.course]
    needed = float(view.needed_ln_e)
    bars = "".join(BARS[min(len(BARS) - 1, max(0, round(e / needed * (len(BARS) - 1))))] for e in course[-40:])
    last = span(view.course[-1].seconds) if view.course else "-"
    reached = f"E = {_odds(float(view.ln_e))} after {last}, {_odds(needed)} is needed"
    return words(f"{bars} {reached}")


def _odds(ln_e: float) -> str:
    """E, as far as anybody needs it."""
    if ln_e > log(1e6):
        return "over 1,000,000"
    return plain(exp(ln_e)) if ln_e > log(1e-3) else "under 0.001"
