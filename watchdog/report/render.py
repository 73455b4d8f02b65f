"""The views as people read them in a terminal: tables, panels and a timeline, at 80 columns and up.

Pure: views in, rich renderables out. Everything that colour says is also said in words, so a pipe loses nothing; text
from outside (labels, logs, reasons) is never read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Group, OverflowMethod, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from watchdog.report.status import StatusView, TargetStatus
from watchdog.report.views import HistoryView, IncidentsView, RevisionView

GOOD, BAD, WAIT, DIM = "green", "bold red", "yellow", "dim"

STATE_STYLES = {
    "passed": GOOD,
    "recovered": GOOD,
    "idle": GOOD,
    "pass": GOOD,
    "failed": BAD,
    "fail": BAD,
    "blocked": BAD,
    "condemned": BAD,
    "rolling_back": BAD,
    "held": WAIT,
    "paused": WAIT,
    "verifying": WAIT,
    "arriving": "cyan",
    "watching": "cyan",
    "inconclusive": DIM,
    "superseded": DIM,
    "expired": DIM,
    "unseen": DIM,
    "error": WAIT,
}


def words(text: str, style: str = "", *, overflow: OverflowMethod | None = None) -> Text:
    """Text from anywhere, without markup and without the terminal's control characters."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else "·" for c in text)
    return Text(shown, style=style, overflow=overflow)


def state_text(state: str) -> Text:
    """A state or verdict in its colour."""
    return words(state.replace("_", " "), style=STATE_STYLES.get(state, ""))


def when(at: datetime | None) -> str:
    """`2026-11-23 14:03:21`, in UTC as everywhere."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def span(seconds: float | None) -> str:
    """`3.2s`, `4m10s`, `2h03m`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def status_table(view: StatusView) -> RenderableType:
    """`watchdog status`: one row per target, and the rules of each open watch below it."""
    if not view.targets:
        return words("no targets are configured", style=DIM)
    table = _table("target", "environment", "state", "revision", "back to")
    table.add_column("", ratio=1, overflow="fold")
    for target in view.targets:
        good = " *" if target.known_good else ""
        table.add_row(
            words(target.name, style="bold"),
            words(target.environment),
            state_text(target.state),
            words(f"{target.revision or '-'}{good}"),
            words(target.rollback_to or "-"),
            words(target.headline + (" (dry run)" if target.mode == "dry_run" else "")),
        )
    watched = [t for t in view.targets if t.watch and t.watch.ended_at is None and t.watch.rules]
    legend = words(f"at {when(view.at)} UTC; * known good; times in UTC", style=DIM)
    return Group(table, *(_rules_of(target) for target in watched), legend)


def history_table(view: HistoryView) -> RenderableType:
    """`watchdog history TARGET`: newest first."""
    if not view.revisions:
        others = f"; the platform has {', '.join(view.unseen)}" if view.unseen else ""
        return words(f"no revision of {view.target} has been seen yet{others}", style=DIM)
    table = _table("revision", "seen", "watch", "standing")
    table.add_column("what it is", ratio=1, overflow="fold")
    for revision in view.revisions:
        table.add_row(
            words(revision.id + (" <" if revision.running else ""), style="bold" if revision.running else ""),
            when(revision.seen_at)[:16],
            state_text(revision.watch_state or "-"),
            _standing(revision),
            _described(revision),
        )
    lines = [words(f"{view.target} ({view.environment}); < runs now; times in UTC", style=DIM)]
    if view.unseen:
        lines.insert(0, words(f"never seen running by the watchdog: {', '.join(view.unseen)}", style=DIM))
    return Group(table, *lines)


def incidents_table(view: IncidentsView) -> RenderableType:
    """`watchdog incidents`: newest first."""
    if not view.incidents:
        return words("no incidents", style=GOOD)
    table = _table("incident", "opened", "state")
    table.add_column("what happened", ratio=1, overflow="fold")
    for incident in view.incidents:
        table.add_row(
            words(incident.id, style="bold"),
            when(incident.opened_at)[:16],
            state_text(incident.state),
            words(f"{incident.headline} ({span(incident.seconds) or 'open'})"),
        )
    return Group(table, words("`watchdog explain INCIDENT` tells the whole story; times in UTC", style=DIM))


def objections_panel(objections: Iterable[tuple[str, str]]) -> RenderableType:
    """Why nothing was done: (name, reason) of each objection."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, reason in objections:
        grid.add_row(words(name, style=BAD), words(reason))
    return Panel(grid, title="not rolled back", title_align="left", border_style=WAIT)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _rules_of(target: TargetStatus) -> RenderableType:
    """The rules of the target's open watch."""
    assert target.watch
    table = _table("rule", "last", "failed")
    table.columns[0].no_wrap = True
    table.add_column("reason", ratio=1, overflow="fold")
    for rule in target.watch.rules:
        word = "tripped" if rule.tripped else rule.last or "-"
        table.add_row(
            words(rule.rule),
            words(word, style=BAD if rule.tripped else STATE_STYLES.get(word, "")),
            words(f"{rule.failures}/{rule.measured}"),
            words(rule.reason + (" (blind)" if rule.blind else "")),
        )
    return Group(words(f"{target.name} {target.watch.revision}", style="bold"), table)


def _standing(revision: RevisionView) -> Text:
    if revision.condemned:
        return words("rolled back", style=BAD)
    if revision.known_good:
        return words("known good", style=GOOD)
    return words("-", style=DIM)


_BECAUSE = {
    "watched": "its watch passed",
    "running": "it ran when the watchdog first looked",
    "approved": "a person approved it",
    "restored": "it was restored, and proved",
}


def _described(revision: RevisionView) -> Text:
    parts = [revision.summary, f"brought back {revision.same_as}" if revision.same_as else ""]
    parts.append(_BECAUSE.get(revision.known_good_because, ""))
    parts.append("no longer in the platform's own history" if revision.kept is False else "")
    if revision.note or not revision.exact:
        parts.append(("" if revision.exact else "not exact: ") + revision.note)
    return words("; ".join(part.rstrip(": ") for part in parts if part))
