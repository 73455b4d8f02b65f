"""`watchdog check`: reach every platform, source and probe that the config names, and say what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from watchdog.app import App, found_by
from watchdog.engine.asking import asks_platform, context
from watchdog.errors import BadTemplate, Refused, Unavailable
from watchdog.model.base import format_duration
from watchdog.model.deploy import Snapshot
from watchdog.model.rule import CompareMeasure, Rule
from watchdog.model.target import Target
from watchdog.template import render_all

LOOKED_BACK = timedelta(minutes=10)
STEP = timedelta(seconds=15)
NOTE = "note: "
"""How a platform's or gauge's check marks a line that is good to know, but not wrong."""


@dataclass(frozen=True)
class Finding:
    """One thing that was reached for: a line for each thing that is wrong, and for each that is good to know."""

    what: str
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def findings(app: App) -> Iterator[Finding]:
    """One finding after the other, as they are made. The config itself was read already: it is valid."""
    yield Finding(f"config {app.settings.path}", notes=(f"targets: {len(app.roster.configured)}",))
    yield Finding("state", notes=(f"open watches: {len(app.store.open_watches())}",))
    for target in app.roster.configured:
        yield from _target(app, target)


def _target(app: App, target: Target) -> Iterator[Finding]:
    platform = app.platforms[target.spec.kind]
    missing, notes = _sorted(platform.check(target))
    snapshot, seen = None, target
    if not missing:
        try:
            found = found_by([target], app.settings) if target.is_pattern else [target]
            seen = next(iter(found), target)
            snapshot = platform.snapshot(seen, app.clock.now()) if found else None
        except (Unavailable, Refused) as error:
            missing = (str(error),)
    if snapshot is not None and not missing:
        missing = _cannot_go_back(app, seen, snapshot)
    good = () if target.is_pattern else _known_good(app, target)
    yield Finding(f"{target.name}: {target.spec.kind}", missing, (*notes, *good))
    for rule in target.rules:
        yield _rule(app, seen, rule, snapshot)


def _cannot_go_back(app: App, target: Target, running: Snapshot) -> tuple[str, ...]:
    """Why the newest known-good revision could not be brought back now, where there is one: a right that is missing,
    an image that is gone. Changes nothing."""
    ledger = app.store.revisions(target.name, limit=200)
    bookmark = app.store.bookmark(target.name)
    current = bookmark.revision if bookmark else None
    candidate = next((r for r in ledger if r.known_good and not r.condemned and r.id != current), None)
    if candidate is None:
        return ()
    try:
        app.actors[target.spec.kind].draft(target, candidate, running)
    except (Unavailable, Refused) as error:
        return (f"a rollback to {candidate.id} is not possible: {error}",)
    return ()


def _known_good(app: App, target: Target) -> tuple[str, ...]:
    good = [r.id for r in app.store.revisions(target.name, limit=200) if r.known_good]
    if good:
        return (f"known good: {', '.join(good[:5])}",)
    if target.rollback.first_known_good == "running":
        return ("nothing is known good yet; what runs at the first sight will be",)
    said = "nothing is known good yet, so nothing can be rolled back"
    return (f"{said}: run `watchdog approve {target.name}`, or set rollback.first_known_good: running",)


def _rule(app: App, target: Target, rule: Rule, snapshot: Snapshot | None) -> Finding:
    what = f"{target.name}: rule {rule.name} ({rule.measure.kind})"
    if asks_platform(rule):
        return Finding(what)
    revision = snapshot.name if snapshot and snapshot.name else "r1"
    try:
        asked = render_all(rule.measure, context(target, revision, snapshot))
    except BadTemplate as error:
        return Finding(what, (str(error),))
    if isinstance(asked, CompareMeasure):
        return Finding(what, *_sorted(_comparable(app, target, asked)))
    gauge = app.gauges.get(asked.kind)
    if gauge is None:
        return Finding(
            what, (f"the config has no source for {asked.kind} rules: add sources: {{{asked.kind}: {{url: …}}}}",)
        )
    return Finding(what, *_sorted(gauge.check(asked)))


def _comparable(app: App, target: Target, asked: CompareMeasure) -> list[str]:
    """Whether the source remembers what would be compared."""
    source = app.history(target.name, asked)
    if source is None:
        return ["the config has no source for compare rules: add sources: {prometheus: {url: …}}"]
    now = app.clock.now()
    try:
        if asked.selectors:
            found = source.series(asked.selectors, now - LOOKED_BACK, now)
            empty = [text for name, text in asked.selectors.items() if not found.get(name)]
        else:
            queries = [text for text in (asked.query, asked.limit, asked.per) if text is not None]
            empty = [text for text in queries if not source.evaluate(text, now - LOOKED_BACK, now, STEP)]
    except (Unavailable, Refused) as error:
        return [str(error)]
    return [f"{NOTE}has no samples of the last {format_duration(LOOKED_BACK)}: {text}" for text in empty]


def _sorted(lines: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is missing, and what is good to know, each in one line: a query may be written over several."""
    lines = [" ".join(line.split()) for line in lines]
    missing = tuple(line for line in lines if not line.startswith(NOTE))
    return missing, tuple(line.removeprefix(NOTE) for line in lines if line.startswith(NOTE))
