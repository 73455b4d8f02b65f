"""Reads from the store what the views are made of. The command line uses it too, so both always show the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from watchdog.errors import UnknownName
from watchdog.model.target import Target
from watchdog.model.watch import Watch
from watchdog.report.explain import Explanation, explain
from watchdog.report.status import StatusView, status_view
from watchdog.store.base import Store


def status_of(store: Store, targets: Sequence[Target], now: datetime) -> StatusView:
    """The status of these targets. Raises StoreUnavailable or StoreDamaged."""
    open_now = {watch.target: watch for watch in store.open_watches()}
    watches: dict[str, Watch] = {}
    for target in targets:
        latest = open_now.get(target.name) or next(iter(store.watches(target.name, 1)), None)
        if latest:
            watches[target.name] = latest
    names = [target.name for target in targets]
    return status_view(
        targets,
        {name: mark for name in names if (mark := store.bookmark(name))},
        watches,
        {name: pause for name in names if (pause := store.pause(name))},
        {name: store.revisions(name) for name in names},
        now,
    )


def explanation_of(store: Store, targets: Mapping[str, Target], incident_id: str) -> Explanation:
    """The story of one incident. Raises UnknownName, StoreUnavailable or StoreDamaged."""
    incident = store.incident(incident_id)
    watch = store.watch(incident.watch) if incident else None
    if incident is None or watch is None:
        recent = ", ".join(known.id for known in store.incidents(limit=5)) or "none"
        raise UnknownName(f"no incident is called {incident_id!r}; the latest: {recent}")
    concerned = {watch.revision, watch.previous, watch.plan.to_revision if watch.plan else None}
    revisions = [store.revision(watch.target, name) for name in sorted(name for name in concerned if name)]
    target = targets.get(watch.target)
    return explain(
        incident,
        watch,
        events=store.events(watch_id=watch.id),
        measurements=store.measurements(watch.id),
        evidence=store.evidence(watch.id),
        rollback=store.rollback(watch.plan.id) if watch.plan else None,
        revisions=[revision for revision in revisions if revision],
        rules=target.rules if target else (),
    )
