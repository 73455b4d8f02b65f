"""What is true of every target now: `watchdog status`, and the API's /api/v1/status.

Pure, and made from what the store holds: it works while the daemon is down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from watchdog.model.base import Value, format_duration
from watchdog.model.deploy import Revision
from watchdog.model.incident import Bookmark, Pause
from watchdog.model.target import Target
from watchdog.model.watch import Watch
from watchdog.report.views import WatchView, watch_view


class PauseView(Value):
    """Nothing is rolled back automatically while this is so."""

    since: datetime
    until: datetime | None = None
    reason: str
    by: str


class TargetStatus(Value):
    """One target now."""

    name: str
    environment: str
    platform: str
    mode: str
    state: str
    """`unseen`, `paused`, an open watch's state, or `idle`."""
    headline: str
    revision: str | None = None
    revision_seen_at: datetime | None = None
    summary: str = ""
    known_good: bool = False
    rollback_to: str | None = None
    """The newest known-good revision other than the one that runs."""
    pause: PauseView | None = None
    watch: WatchView | None = None
    """The open watch, or the latest one."""


class StatusView(Value):
    """`watchdog status`."""

    at: datetime
    targets: tuple[TargetStatus, ...]


def status_view(
    targets: Sequence[Target],
    bookmarks: Mapping[str, Bookmark],
    watches: Mapping[str, Watch],
    pauses: Mapping[str, Pause],
    revisions: Mapping[str, Sequence[Revision]],
    now: datetime,
) -> StatusView:
    """What is true of each target. All mappings are by target name; `watches` holds the open watch or else the latest
    one, `revisions` are newest first."""
    return StatusView(
        at=now,
        targets=tuple(
            _target_status(
                target,
                bookmarks.get(target.name),
                watches.get(target.name),
                active_pause(pauses.get(target.name), now),
                revisions.get(target.name, ()),
                now,
            )
            for target in targets
        ),
    )


def active_pause(pause: Pause | None, now: datetime) -> Pause | None:
    """The pause, if it is still on."""
    return pause if pause and (pause.until is None or pause.until > now) else None


def _target_status(
    target: Target,
    bookmark: Bookmark | None,
    watch: Watch | None,
    pause: Pause | None,
    revisions: Sequence[Revision],
    now: datetime,
) -> TargetStatus:
    running = next((r for r in revisions if bookmark and r.id == bookmark.revision), None)
    fallback = next((r for r in revisions if r.known_good and (running is None or r.id != running.id)), None)
    shown = watch_view(watch, target) if watch else None
    state = "unseen" if bookmark is None else "idle"
    if watch and watch.state.open:
        state = watch.state.value
    elif pause:
        state = "paused"
    return TargetStatus(
        name=target.name,
        environment=target.environment,
        platform=target.spec.kind,
        mode=target.mode.value,
        state=state,
        headline=_headline(state, shown, pause, running, now),
        revision=bookmark.revision if bookmark else None,
        revision_seen_at=bookmark.seen_at if bookmark else None,
        summary=running.summary if running else "",
        known_good=running.known_good if running else False,
        rollback_to=fallback.id if fallback else None,
        pause=PauseView(**pause.model_dump(include=set(PauseView.model_fields))) if pause else None,
        watch=shown,
    )


def _headline(state: str, watch: WatchView | None, pause: Pause | None, running: Revision | None, now: datetime) -> str:
    """One line that says what matters most."""
    said = {
        "unseen": "no deploy has been seen yet",
        "idle": "nothing to watch",
        "arriving": "the rollout is not finished",
        "watching": "being watched",
        "held": "waits for a person to approve or reject",
        "condemned": "about to be rolled back",
        "rolling_back": "is being rolled back",
        "verifying": "rolled back; being verified",
        "paused": "",
    }[state]
    if state == "watching" and watch and watch.passes_at:
        left = timedelta(seconds=round((watch.passes_at - now).total_seconds()))
        said += f", passes in {format_duration(left)} if nothing trips" if left > timedelta(0) else ", about to pass"
    if watch and watch.reason and state not in ("idle", "unseen", "paused", "watching"):
        said += f": {watch.reason}"
    if state == "idle" and running:
        said = "known good" if running.known_good else "not known good"
        said += f"; its watch {watch.state}" if watch and watch.revision == running.id else ""
    if pause:
        said = f"paused by {pause.by}: {pause.reason}" + (f"; {said}" if said else "")
    return said
