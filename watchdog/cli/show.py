"""The commands that only read the store: they work while the daemon is down, and on a copy of its state. `history` of a
Helm release also asks Helm's own, where the cluster answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from watchdog.app import kept_by_platform
from watchdog.cli.common import DEFAULT_CONFIG, ConfigOption, Output, OutputOption, err, opened, settings_of, show
from watchdog.errors import Refused, Unavailable, UnknownName
from watchdog.report.render import history_table, incidents_table, status_table
from watchdog.report.story import explanation
from watchdog.report.views import history_view, incidents_view
from watchdog.web.lookup import explanation_of, status_of

LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="How many at most, newest first.")]


def status(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.text) -> None:
    """What is true of each target now."""
    settings = settings_of(config, secrets=False)
    with opened(settings) as store:
        settings.roster.meet(mark.target for mark in store.bookmarks())
        view = status_of(store, tuple(settings.roster.values()), datetime.now(UTC))
    show(view, status_table(view), output)


def history(
    target: Annotated[str, typer.Argument(help="A target's name.")],
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.text,
    limit: LimitOption = 20,
) -> None:
    """The revisions of a target."""
    settings = settings_of(config, secrets=False)
    if target not in settings.roster:
        raise UnknownName(f"no target {target!r} in {config}; it has: {settings.roster.names()}")
    with opened(settings) as store:
        bookmark = store.bookmark(target)
        revisions, watches = store.revisions(target, limit), store.watches(target, limit=500)
    kept = None
    try:
        kept = kept_by_platform(settings.roster[target], limit, settings)
    except (Unavailable, Refused) as error:
        err.print(f"note: only the ledger is shown: {error}", style="yellow", markup=False)
    running = bookmark.revision if bookmark else None
    view = history_view(settings.roster[target], revisions, watches, running, kept)
    show(view, history_table(view), output)


def incidents(
    target: Annotated[str | None, typer.Option("--target", help="Only this target's.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.text,
    limit: LimitOption = 20,
) -> None:
    """What went wrong, newest first."""
    settings = settings_of(config, secrets=False)
    with opened(settings) as store:
        view = incidents_view(store.incidents(target, limit))
    show(view, incidents_table(view), output)


def explain(
    incident: Annotated[str, typer.Argument(help="An incident's id, or `last`.")],
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.text,
    everything: Annotated[bool, typer.Option("--all", help="Every measurement, not only the telling ones.")] = False,
) -> None:
    """Every query, sample, threshold, verdict and reason of one incident."""
    settings = settings_of(config, secrets=False)
    with opened(settings) as store:
        if incident == "last":
            latest = store.incidents(limit=1)
            if not latest:
                raise UnknownName("there has been no incident yet")
            incident = latest[0].id
        story = explanation_of(store, settings.roster, incident)
    show(story, explanation(story, all_measurements=everything), output)
