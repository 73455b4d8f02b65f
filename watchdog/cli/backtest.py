"""`watchdog backtest`: past deploys, judged by what Prometheus remembers of them. Changes nothing, stores nothing."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from watchdog.app import build
from watchdog.backtest import Outcome, PastDeploy, judge_deploys, placebos, utc
from watchdog.cli.common import DEFAULT_CONFIG, ConfigOption, Output, OutputOption, err, out, settings_of
from watchdog.errors import BadConfig, UnknownName
from watchdog.model.base import format_duration, parse_duration
from watchdog.model.target import Target
from watchdog.observe.base import DeployFinder, History
from watchdog.report.render import state_text
from watchdog.settings import Settings
from watchdog.store.base import Store

COLUMNS = ("target", "revision", "at")


def backtest(
    target: Annotated[str | None, typer.Option("--target", help="Only this target's deploys.")] = None,
    deploys: Annotated[
        Path | None, typer.Option("--deploys", help="A CSV of target,revision,at (RFC 3339) in place of the store's.")
    ] = None,
    selector: Annotated[
        str | None,
        typer.Option("--version-of", help="A selector whose series have a version label: its changes are the deploys."),
    ] = None,
    label: Annotated[str, typer.Option("--version-label", help="That label's name.")] = "version",
    placebo: Annotated[int, typer.Option("--placebo", min=0, help="Judge this many moments without a deploy too.")] = 0,
    since: Annotated[str, typer.Option("--since", help="How far back, as 12h or 7d.")] = "7d",
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.text,
) -> None:
    """Judge past deploys."""
    settings = settings_of(config, secrets=False)
    app = build(settings)
    try:
        now = app.clock.now()
        start = now - _since(since)
        source = app.history.prometheus
        if source is None:
            raise BadConfig("backtest asks Prometheus: add `sources: {prometheus: {url: …}}`")
        targets = _targets(settings, target)
        if selector is not None:
            known = _by_label(targets, source, selector, label, start, now)
        else:
            known = _from_file(deploys, settings, targets) if deploys else _stored(app.store, targets, start)
        outcomes: list[Outcome] = []
        with _progress(output) as progress:
            for each in targets:
                mine = [d for d in known if d.target == each.name]
                cut = [(d.at, d.at + each.watch.bake_time) for d in mine] + _incidents(app.store, each.name)
                extra = placebos(each, placebo, start, now, cut)
                task = progress.add_task(each.name, total=len(mine) + len(extra))
                for outcome in judge_deploys(each, source, [*mine, *extra], cut=_incidents(app.store, each.name)):
                    outcomes.append(outcome)
                    progress.advance(task)
                    if output is Output.json:
                        typer.echo(outcome.model_dump_json())
                    else:
                        progress.console.print(_line(outcome), soft_wrap=True)
    finally:
        app.close()
    if output is Output.text:
        _totals(outcomes)


def _since(text: str) -> timedelta:
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise BadConfig(f"--since: {error}") from error
    if not isinstance(length, timedelta):
        raise BadConfig("--since: expected a duration such as 7d")
    return length


def _targets(settings: Settings, name: str | None) -> list[Target]:
    if name is None:
        return list(settings.roster.values())
    if name not in settings.roster:
        raise UnknownName(f"no target {name!r}; there are: {settings.roster.names()}")
    return [settings.roster[name]]


def _stored(store: Store, targets: Sequence[Target], start: datetime) -> list[PastDeploy]:
    """The deploys that the daemon watched."""
    watches = [w for t in targets for w in store.watches(t.name, limit=500)]
    return [
        PastDeploy(w.target, w.revision, w.opened_at) for w in watches if w.origin == "deploy" and w.opened_at >= start
    ]


def _incidents(store: Store, target: str) -> list[tuple[datetime, datetime]]:
    return [(i.opened_at, i.closed_at or i.opened_at) for i in store.incidents(target, limit=500)]


def _from_file(path: Path, settings: Settings, targets: Sequence[Target]) -> list[PastDeploy]:
    """Raises BadConfig with the line that can't be used."""
    names = {t.name for t in targets}
    found = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                raise BadConfig(f"{path}:1: expected the columns {', '.join(COLUMNS)}")
            for row in rows:
                if row["target"] not in settings.roster:
                    text = f"no target {row['target']!r} in the config; it has: {settings.roster.names()}"
                    raise BadConfig(f"{path}:{rows.line_num}: {text}")
                try:
                    deploy = PastDeploy(row["target"], row["revision"], utc(row["at"] or ""))
                except ValueError as error:
                    raise BadConfig(f"{path}:{rows.line_num}: at: {error}") from error
                found += [deploy] if deploy.target in names else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadConfig(f"{path}: cannot be read: {error}") from error
    return found


def _by_label(
    targets: Sequence[Target], source: History, selector: str, label: str, start: datetime, now: datetime
) -> list[PastDeploy]:
    if len(targets) != 1:
        raise BadConfig("--version-of finds the deploys of one target: name it with --target")
    if not isinstance(source, DeployFinder):
        raise BadConfig("this source cannot find deploys by a label")
    return [PastDeploy(targets[0].name, d.revision, d.at) for d in source.deploys_by_label(selector, label, start, now)]


def _progress(output: Output) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=err if output is Output.json else out, transient=True)


def _line(outcome: Outcome) -> Text:
    line = Text(f"{outcome.at:%Y-%m-%d %H:%M}  {outcome.target} {outcome.revision}  ").append(
        state_text(outcome.verdict.value)
    )
    if outcome.seconds is not None:
        line.append(f" after {format_duration(timedelta(seconds=round(outcome.seconds)))} by {outcome.rule}")
    return line.append(f"  {outcome.reason}", style="dim")


def _totals(outcomes: Iterable[Outcome]) -> None:
    """How many of each, and the rate of failures among those that could be judged."""
    everything = list(outcomes)
    for name, some in (
        ("deploys", [o for o in everything if not o.placebo]),
        ("moments without a deploy", [o for o in everything if o.placebo]),
    ):
        if not some:
            continue
        counts = Counter(o.verdict.value for o in some)
        judged = len(some) - counts["inconclusive"]
        rate = f"; {100 * counts['fail'] / judged:.3g} % of the {judged} that could be judged fail" if judged else ""
        out.print(
            Text(f"{len(some)} {name}: " + ", ".join(f"{n} {v}" for v, n in sorted(counts.items())) + rate, "bold")
        )
    if not everything:
        out.print(
            Text("no deploys are known: name them with --deploys FILE or --version-of SELECTOR, or try --placebo 50")
        )
