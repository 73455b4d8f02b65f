"""How a demo ended: the exit code with its reason, the incident, and how both are printed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from watchdog.demo import DONE, Fault, Kind
from watchdog.demo.picture import Phase
from watchdog.report.explain import Explanation
from watchdog.report.plain import plain
from watchdog.report.render import BAD, GOOD, history_table, words
from watchdog.report.story import explanation
from watchdog.report.views import HistoryView


@dataclass(frozen=True)
class Ending:
    """What there is to tell."""

    code: int
    title: str
    """In a word or two: recovered, known good, failed, interrupted."""
    words: str
    phases: tuple[Phase, ...] = ()
    story: Explanation | None = None
    history: HistoryView | None = None
    log: str = field(default="", repr=False)
    """The end of the engine's own log: shown when it did not end well."""


def print_text(ending: Ending, console: Console) -> None:
    """The incident as `watchdog explain` prints it, or the history where there was none; the verdict last."""
    if ending.story is not None:
        console.print()
        console.print(explanation(ending.story))
    elif ending.history is not None and ending.history.revisions:
        console.print()
        console.print(history_table(ending.history))
    ok = ending.code == DONE
    if not ok and ending.log:
        console.print()
        console.print(words("the end of the watchdog's log", style="dim"))
        console.print(words(ending.log))
    console.print()
    text = words(ending.words)
    reached = [f"{phase.name} +{phase.at:.1f}s" for phase in ending.phases if phase.at is not None]
    if reached:
        text = Text("\n").join([text, words("after the deploy: " + ", ".join(reached), style="dim")])
    style = GOOD if ok else BAD
    title = words(f" {ending.title} ", style=style)
    console.print(Panel(text, title=title, title_align="left", border_style=style))


def print_json(ending: Ending, fault: Fault, kind: Kind, seconds: float, console: Console) -> None:
    """One document: `ok`, `exit_code`, `reason`, `seconds`, `phases`, `incident` (as `watchdog explain --output json`),
    `history`."""
    fields = {
        "fault": fault.value,
        "platform": kind.value,
        "ok": ending.code == DONE,
        "exit_code": ending.code,
        "reason": ending.words,
        "seconds": round(seconds, 3),
        "phases": {phase.name: round(phase.at, 3) for phase in ending.phases if phase.at is not None},
        "incident": ending.story,
        "history": ending.history,
    }
    console.out(json.dumps(plain(fields), indent=2, allow_nan=False), highlight=False)
