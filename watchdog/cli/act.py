"""The commands by which people act. Each is stored as one step; whoever owns the target carries it out.

`rollback` drives the engine itself where no daemon does, and takes over when a daemon dies in the middle.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from watchdog.actions import UNDER_WAY, Preview
from watchdog.app import App, build, found_by
from watchdog.cli.common import (
    DEFAULT_CONFIG,
    INTERRUPTED,
    NO,
    ConfigOption,
    Output,
    OutputOption,
    err,
    out,
    settings_of,
    whoami,
)
from watchdog.errors import BadConfig, Refused, Unavailable, UnknownName
from watchdog.model.base import format_duration, parse_duration
from watchdog.model.watch import Watch, WatchState
from watchdog.report.render import objections_panel
from watchdog.settings import Settings
from watchdog.web.lookup import explanation_of

POLL_SECONDS = 0.2
FIRST_LOOK = timedelta(seconds=30)
"""How long the platform may take to say what runs, before a rollback is refused."""
SPARE = timedelta(minutes=6)
"""What a rollback may take beyond its own time limits: preparing it, and waiting for a starting `up`."""

TargetArgument = Annotated[str, typer.Argument(help="A target's name.")]


def rollback(
    target: Annotated[str | None, typer.Argument(help="A target's name.")] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", help="All targets of this environment.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="The revision to go back to; by default the newest known good one.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and what the guard says.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.text,
) -> None:
    """Roll back now."""
    settings = _settings(config)
    names = _chosen(settings, config, target, environment)
    if to is not None and len(names) > 1:
        raise BadConfig(f"--to names a revision of one target; {environment} has {len(names)}: {', '.join(names)}")
    app = build(settings, only=names)
    try:
        _look(app, names)
        if dry_run:
            _preview(app, names, to, output)
        else:
            _roll_back(app, names, to, output)
    finally:
        app.close()


def _settings(config: Path) -> Settings:
    """The config, also without the daemon's secrets; says what that means."""
    settings = settings_of(config, secrets=False)
    for line in settings.missing_secrets:
        err.print(f"note: {line}; what needs it is left to the daemon", style="yellow", markup=False)
    return settings


def _chosen(settings: Settings, config: Path, target: str | None, environment: str | None) -> list[str]:
    if (target is None) == (environment is None):
        raise BadConfig("name a TARGET, or all targets of one with --environment NAME")
    if target is not None:
        if target not in settings.roster:
            raise UnknownName(f"no target {target!r} in {config}; it has: {settings.roster.names()}")
        return [target]
    there = [t for t in settings.targets if t.environment == environment]
    names = [t.name for t in there if not t.is_pattern]
    names += [t.name for t in found_by([t for t in there if t.is_pattern], settings)]
    if not names:
        known = ", ".join(sorted({t.environment for t in settings.targets}))
        raise UnknownName(f"no target in environment {environment!r} in {config}; it has: {known}")
    return names


def _look(app: App, names: list[str]) -> None:
    """Let the engine see what runs, unless a daemon does. No watch takes a step: nobody asked for that yet."""
    deadline = time.monotonic() + FIRST_LOOK.total_seconds()
    while time.monotonic() < deadline:
        app.engine.look(app.clock.now())
        if all(app.engine.looked(n) or not app.engine.owns(n) for n in names):
            break
        time.sleep(POLL_SECONDS)
    for name in names:
        trouble = app.engine.troubles().get(name)
        if trouble is not None:
            raise Unavailable(f"{name}: {trouble}")


def _preview(app: App, names: list[str], to: str | None, output: Output) -> None:
    previews = [app.actions.preview(name, to, whoami()) for name in names]
    for preview in previews:
        if output is Output.json:
            typer.echo(preview.model_dump_json(indent=2))
        else:
            _print_preview(preview)
    if any(p.objections for p in previews):
        raise typer.Exit(NO)


def _print_preview(preview: Preview) -> None:
    if preview.objections:
        out.print(objections_panel([(o.name.value, o.reason) for o in preview.objections]))
        return
    out.print(Text(f"{preview.target}: would go from {preview.from_revision} to {preview.to_revision}", style="bold"))
    draft = preview.draft
    if draft is None:
        return
    out.print(Text(f"  changes: {', '.join(draft.changes) or 'nothing'}"))
    for command in draft.commands:
        out.print(Text("  runs: " + " ".join(command)), soft_wrap=True)
    for warning in draft.warnings:
        out.print(Text(f"  note: {warning}", style="yellow"), soft_wrap=True)


def _roll_back(app: App, names: list[str], to: str | None, output: Output) -> None:
    watches = [_under_way(app, name, to) or app.actions.rollback(name, to, whoami()) for name in names]
    try:
        ended = _follow(app, watches, quiet=output is Output.json)
    except KeyboardInterrupt:
        err.print("stopped following; what was begun is stored: the daemon, or this command again, goes on with it")
        raise typer.Exit(INTERRUPTED) from None
    _deliver(app, names)
    for watch in ended:
        if output is Output.json:
            story = explanation_of(app.store, app.roster, watch.incident or "")
            typer.echo(story.model_dump_json(indent=2))
        else:
            good = watch.state is WatchState.recovered
            message = f"{watch.target}: {watch.state.value}: {watch.end_reason}"
            out.print(Text(message, style="bold green" if good else "bold red"), soft_wrap=True)
            out.print(Text(f"  the whole story: watchdog explain {watch.incident}"))
    if any(w.state is not WatchState.recovered for w in ended):
        raise typer.Exit(NO)


def _under_way(app: App, name: str, to: str | None) -> Watch | None:
    """A rollback that was begun by someone who is gone: it is seen through, before another may be asked for."""
    begun = next((w for w in app.store.open_watches() if w.target == name and w.state in UNDER_WAY), None)
    if begun is None or not app.engine.owns(name):
        return None
    goal = begun.plan.to_revision if begun.plan else ""
    if to not in {None, goal}:
        raise Refused(f"a rollback of {name} to {goal} was begun and is not finished: run this without --to first")
    err.print(f"{name}: a rollback to {goal} was begun and is not finished; going on with it", markup=False)
    return begun


def _deliver(app: App, names: list[str]) -> None:
    """Tell the receivers, where no daemon does. Without all secrets that is left to it: notices wait in the store."""
    if app.settings.missing_secrets or not all(app.engine.owns(name) for name in names):
        return
    for receiver in app.outbox.names:
        app.outbox.deliver(app.clock.now(), receiver)


def _follow(app: App, watches: list[Watch], quiet: bool) -> list[Watch]:
    """Drive the engine where nobody else does, and print the timeline as it is stored."""
    policies = [t.rollback for t in app.targets]
    longest = max(p.timeout * 2 + p.verify_timeout + p.verify_for for p in policies) + SPARE
    deadline = time.monotonic() + longest.total_seconds()
    printed: set[str] = set()
    while time.monotonic() < deadline:
        app.engine.tick(app.clock.now())
        current = [_stored(app, watch) for watch in watches]
        for watch in current:
            for event in app.store.events(watch_id=watch.id):
                if event.id not in printed and not quiet:
                    out.print(Text(f"{event.at:%H:%M:%S}  {event.message}"), soft_wrap=True)
                printed.add(event.id)
        if not any(w.state.open for w in current):
            return current
        time.sleep(POLL_SECONDS)
    raise Unavailable(f"not finished within {format_duration(longest)}; `watchdog status` shows how far it is")


def _stored(app: App, watch: Watch) -> Watch:
    found = app.store.watch(watch.id)
    if found is None:
        raise Refused(f"watch {watch.id} is gone from the store: was it replaced?")
    return found


def approve(
    target: TargetArgument,
    revision: Annotated[
        str | None, typer.Option("--revision", help="A revision other than the held or running.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Call a revision known good."""
    with _acting(config, target) as app:
        _look(app, [target])
        good = app.actions.approve(target, revision, whoami())
    out.print(Text(f"{target} {good.id} is known good, approved by {whoami()}"))


def pause(
    target: TargetArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; people will ask.")],
    duration: Annotated[str | None, typer.Option("--for", help="How long, as 30m or 2h; else until resumed.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """No automatic rollbacks for a while."""
    try:
        length = parse_duration(duration)
    except ValueError as error:
        raise BadConfig(f"--for: {error}") from error
    with _acting(config, target) as app:
        made = app.actions.pause(target, length, reason, whoami())
    until = f"until {made.until:%Y-%m-%d %H:%M} UTC" if made.until else f"until `watchdog resume {target}`"
    out.print(Text(f"{target} is paused {until}: deploys are watched and told, nothing is rolled back automatically"))


def resume(target: TargetArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """End a pause."""
    with _acting(config, target) as app:
        was_paused = app.actions.resume(target, whoami())
    out.print(Text(f"{target} is guarded again" if was_paused else f"{target} was not paused"))


class _acting:  # noqa: N801 -- used as a statement
    """The app for one target, given back at the end."""

    def __init__(self, config: Path, target: str) -> None:
        settings = _settings(config)
        _chosen(settings, config, target, None)
        self._app = build(settings, only=[target])

    def __enter__(self) -> App:
        return self._app

    def __exit__(self, *_: object) -> None:
        self._app.close()
