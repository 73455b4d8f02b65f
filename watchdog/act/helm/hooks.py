"""Hooks: what ran on the way up is not undone by going back down.

Pure, over release bodies. A hook that runs a program (a Job or a Pod) before or after an install or upgrade is taken
for a migration, unless its author says that a rollback undoes it (deploy-watchdog/reversible: "true"), or the very same
hook belonged to the revision that comes back: what it does had been done there already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchdog.act.helm.changes import Object, at

REVERSIBLE = "deploy-watchdog/reversible"
MIGRATING = frozenset({"pre-install", "post-install", "pre-upgrade", "post-upgrade"})
ROLLING_BACK = frozenset({"pre-rollback", "post-rollback"})
RUNS = frozenset({"Job", "Pod"})

Parse = Callable[[str], Sequence[Object]]
"""What makes objects of a manifest."""

_SLACK = timedelta(seconds=2)
"""`last_deployed` is taken just before the first hook begins; clocks of one process, rounded differently."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A hook that ran."""

    revision: str
    name: str
    """`Job/migrate`."""
    events: str
    phase: str


def migrations(bodies: Iterable[Mapping[str, Any]], to: Mapping[str, Any], parse: Parse) -> list[Ran]:
    """The hooks that ran since the revision `to` and may have changed data. `bodies`: the running release and those
    between the two, newest first. Raises what `parse` raises."""
    here = _Known(to, parse)
    found = []
    for body in bodies:
        there = _Known(body, parse)
        for hook in body.get("hooks") or ():
            events = MIGRATING.intersection(map(str, hook.get("events") or ()))
            if not events or hook.get("kind") not in RUNS or not _ran(hook, body):
                continue
            things = list(parse(str(hook.get("manifest") or "")))
            if any(_reversible(thing) for thing in things) or _same(hook, things, here, there):
                continue
            phase = str((hook.get("last_run") or {}).get("phase") or "Unknown")
            name = f"{hook.get('kind')}/{hook.get('name')}"
            found.append(Ran(str(body.get("version")), name, ", ".join(sorted(events)), phase))
    return found


def hooks_to_run(to: Mapping[str, Any]) -> list[str]:
    """The hooks that the rollback itself runs: `Job/undo (pre-rollback hook)`."""
    return [
        f"{hook.get('kind')}/{hook.get('name')} ({', '.join(sorted(events))} hook)"
        for hook in to.get("hooks") or ()
        if (events := ROLLING_BACK.intersection(map(str, hook.get("events") or ())))
    ]


def hook_objects(now: Mapping[str, Any], to: Mapping[str, Any]) -> list[str]:
    """Objects that hooks made and that differ: Helm does not take them back."""
    before = {str(hook.get("name")): hook.get("manifest") for hook in to.get("hooks") or ()}
    return [
        f"{hook.get('kind')}/{hook.get('name')}"
        for hook in now.get("hooks") or ()
        if hook.get("kind") not in RUNS and "test" not in (hook.get("events") or ())
        if before.get(str(hook.get("name"))) != hook.get("manifest")
    ]


class _Known:
    """The hooks and objects of one release, for comparing."""

    def __init__(self, body: Mapping[str, Any], parse: Parse) -> None:
        hooks = body.get("hooks") or ()
        self.hooks = {(hook.get("kind"), hook.get("name")): hook.get("manifest") for hook in hooks}
        texts = [str(body.get("manifest") or ""), *(str(hook.get("manifest") or "") for hook in hooks)]
        self.settings = {
            (str(thing.get("kind")), str(at(thing, "metadata.name"))): thing
            for text in texts
            for thing in parse(text)
            if thing.get("kind") in {"ConfigMap", "Secret"}
        }


def _ran(hook: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """In this very revision: a rollback copies the hooks with the times of their last runs from the older one."""
    started = _time((hook.get("last_run") or {}).get("started_at"))
    deployed = _time((body.get("info") or {}).get("last_deployed"))
    return started is not None and (deployed is None or started >= deployed - _SLACK)


def _time(text: Any) -> datetime | None:
    """Go's zero time (`0001-01-01T00:00:00Z`, or empty) means never."""
    if not isinstance(text, str) or not text or text.startswith("0001-"):
        return None
    try:
        at_time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at_time if at_time.tzinfo else None


def _reversible(thing: Object) -> bool:
    annotations = at(thing, "metadata.annotations") or {}
    return str(annotations.get(REVERSIBLE, "")).lower() == "true"


def _same(hook: Mapping[str, Any], things: Sequence[Object], here: _Known, there: _Known) -> bool:
    """Whether the older revision had the very same hook, with the same image and the same settings. A tag that moves
    (`latest`, or none) says nothing about what ran."""
    if here.hooks.get((hook.get("kind"), hook.get("name"))) != hook.get("manifest"):
        return False
    text = json.dumps(list(things), default=str)
    images = [image for thing in things for image in _images(thing)]
    if any(_moves(image) for image in images):
        return False
    mentioned = [key for key in {*here.settings, *there.settings} if json.dumps(key[1]) in text]
    return all(here.settings.get(key) == there.settings.get(key) for key in mentioned)


def _images(thing: Any) -> Iterable[str]:
    if isinstance(thing, Mapping):
        for name, value in thing.items():
            if name == "image" and isinstance(value, str):
                yield value
            else:
                yield from _images(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from _images(value)


def _moves(image: str) -> bool:
    last = image.rsplit("/", 1)[-1]
    return "@" not in last and (":" not in last or last.endswith(":latest"))
