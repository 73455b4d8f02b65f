"""The live view: how far it is, each rule with its number, limit, verdict and last seconds, the latest events.

`drawing` is pure. In a terminal it is drawn again and again in place; elsewhere things are told in plain lines, once,
as they happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from watchdog.demo.config import Shown
from watchdog.demo.picture import POINTS, Line, Phase, Picture, Row
from watchdog.report.render import BAD, DIM, GOOD, WAIT, state_text, words

EVENTS_SHOWN = 6
BARS = "▁▂▃▄▅▆▇█"
HEADROOM = 1.5
"""The top of a sparkline is at least this many times the limit, so that a healthy line stays low."""

_EVENT_STYLES = {
    "rule.tripped": BAD,
    "incident.failed": BAD,
    "incident.blocked": BAD,
    "incident.recovered": GOOD,
    "watch.passed": GOOD,
    "rollback.started": WAIT,
    "rollback.finished": WAIT,
    "note": DIM,
}


class View(Protocol):
    """Shows pictures, one after the other."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, picture: Picture) -> None:
        """Show this one now."""
        ...


def view_for(console: Console, *, quiet: bool) -> View:
    """The view for where the output goes."""
    if quiet:
        return Silence()
    return InPlace(console) if console.is_terminal and not console.is_dumb_terminal else PlainLines(console)


class Silence:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def show(self, picture: Picture) -> None:
        """Nothing."""


class InPlace:
    """Draws in a terminal, always in the same place. The last picture stays."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, picture: Picture) -> None:
        """Draw it over the one before."""
        self._live.update(drawing(picture), refresh=True)


class PlainLines:
    """Tells what is new since the picture before: steps of the demo, events, changed verdicts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._doing = ""
        self._told = 0
        self._verdicts: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def show(self, picture: Picture) -> None:
        """Print what is new."""
        if picture.doing != self._doing:
            self._doing = picture.doing
            self._line(picture.seconds, picture.doing)
        for line in picture.lines[self._told :]:
            self._line(picture.seconds, line.message)
        self._told = len(picture.lines)
        for row in picture.rows:
            before = self._verdicts.get(row.shown.rule, "")
            if row.verdict != before:
                self._verdicts[row.shown.rule] = row.verdict
                self._line(picture.seconds, f"{row.shown.rule}: {row.verdict}: {row.reason}")

    def _line(self, seconds: float, text: str) -> None:
        self._console.print(words(f"{seconds:5.1f}s  {text}"), soft_wrap=True)


def drawing(picture: Picture) -> RenderableType:
    """The whole view, 21 lines high."""
    return Group(
        _head(picture), Text(), _way(picture.phases), Text(), _rules(picture.rows), Text(), _events(picture.lines)
    )


def _head(picture: Picture) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    felt = picture.felt
    fault = "a good version" if picture.fault == "none" else f"fault: {picture.fault}"
    users = Text(f"{felt.per_second:.0f} requests/s", style=DIM)
    if felt.failed:
        users.append(f", {felt.failed:.0%} fail", style=BAD)
    users.append(f"   {picture.seconds:4.0f} s", style=DIM)
    grid.add_row(Text.assemble(("watchdog demo", "bold"), (f"  {picture.platform}, {fault}", DIM)), users)
    return Group(grid, words(picture.doing, overflow="ellipsis"))


def _way(phases: Sequence[Phase]) -> RenderableType:
    """The steps in a row, each with its time below it."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    reached = [i for i, phase in enumerate(phases) if phase.at is not None]
    last = reached[-1] if reached else -1
    names, times = [], []
    for i, phase in enumerate(phases):
        grid.add_column(no_wrap=True)
        over = last == len(phases) - 1
        mark, style = "·", DIM
        if phase.bad:
            mark, style = "✗", BAD
        elif i < last or (over and phase.at is not None):
            mark, style = "✓", GOOD if phase.at is not None else DIM
        elif i == last:
            mark, style = "●", "bold cyan"
        names.append(Text(f"{mark} {phase.name}", style=style))
        times.append(Text("" if phase.at is None else f"  +{phase.at:.1f}s", style=DIM))
    grid.add_row(*names)
    grid.add_row(*times)
    return grid


def _rules(rows: Sequence[Row]) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True, header_style=DIM)
    table.add_column("rule", no_wrap=True, min_width=14)
    table.add_column("now", no_wrap=True, justify="right", min_width=8)
    table.add_column("fails when", no_wrap=True, min_width=12)
    table.add_column(f"last {POINTS} measurements", no_wrap=True, min_width=POINTS)
    table.add_column("verdict", no_wrap=True, ratio=1)
    for row in rows:
        last = row.values[-1] if row.values else None
        failing = row.verdict == "fail"
        table.add_row(
            words(row.shown.rule, style="bold" if failing or row.tripped else ""),
            Text("" if last is None else _number(last, row.shown), style=BAD if failing else ""),
            Text(f"{row.shown.sign:>2} {_number(row.shown.limit, row.shown)} {row.shown.unit}", style=DIM),
            sparkline(row),
            _verdict(row),
        )
    return table


def _verdict(row: Row) -> Text:
    if not row.verdict:
        return Text("-", style=DIM)
    shown = state_text({"inconclusive": "no data"}.get(row.verdict, row.verdict))
    if row.tripped:
        return Text("tripped", style=BAD) if row.verdict == "fail" else shown.append(" again", style=GOOD)
    return shown


def _number(value: float, shown: Shown) -> str:
    """In the rule's unit, with as many digits as say something."""
    number = value / shown.scale
    return f"{number:.0f}" if number >= 10 or number == int(number) else f"{number:.2f}"


def sparkline(row: Row) -> Text:
    """The measurements as bars; those on the wrong side of the limit in red."""
    limit, out = row.shown.limit, Text()
    numbers = [v for v in row.values if v is not None]
    top = max([limit * HEADROOM, *numbers]) if not row.shown.low_is_bad else limit
    for value in row.values:
        if value is None:
            out.append(" ")
            continue
        level = min(len(BARS) - 1, max(0, int(value / top * len(BARS)))) if top > 0 else 0
        bad = row.shown.fails(value)
        out.append(BARS[level], style="red" if bad else "green")
    return out


def _events(lines: Sequence[Line]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True, justify="right", style=DIM, min_width=6)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    shown = lines[-EVENTS_SHOWN:]
    for line in shown:
        grid.add_row(f"+{line.at:.1f}s", words(line.message, _EVENT_STYLES.get(line.kind, "")))
    for _ in range(EVENTS_SHOWN - len(shown)):
        grid.add_row("", "")
    return grid
