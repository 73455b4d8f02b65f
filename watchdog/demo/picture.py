"""What the demo shows at one moment: read from the store, as `watchdog status` and `watchdog explain` read it.

A picture is a value; making it changes nothing, and drawing it needs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watchdog.demo.config import RULES, Shown
from watchdog.demo.traffic import NOBODY, Felt
from watchdog.model.incident import Event, EventKind
from watchdog.model.measurement import Measurement
from watchdog.model.watch import Watch, WatchState
from watchdog.store.base import Store

MEASUREMENTS = 600
EVENTS = 50
POINTS = 24
"""Measurements in a sparkline: one each second."""

BAD_WAY = ("seen", "watching", "tripped", "rolling back", "verifying", "recovered")
GOOD_WAY = ("seen", "watching", "known good")


@dataclass(frozen=True)
class Phase:
    """One step of the way, and when it was reached, in seconds since the deploy."""

    name: str
    at: float | None = None
    bad: bool = False


@dataclass(frozen=True)
class Row:
    """One rule and what was measured."""

    shown: Shown
    values: tuple[float | None, ...] = ()
    """Oldest first; None: no data."""
    verdict: str = ""
    reason: str = ""
    tripped: bool = False
    measured: int = 0


@dataclass(frozen=True)
class Line:
    """One event, in seconds since the deploy."""

    at: float
    kind: str
    message: str


@dataclass(frozen=True)
class Picture:
    """Everything that is shown."""

    fault: str
    platform: str
    seconds: float
    """Since the demo began."""
    doing: str
    phases: tuple[Phase, ...]
    rows: tuple[Row, ...] = ()
    lines: tuple[Line, ...] = ()
    felt: Felt = NOBODY


def watch_of(store: Store, target: str, deployed_at: datetime | None) -> Watch | None:
    """The watch of the demo's deploy, once there is one."""
    if deployed_at is None:
        return None
    return next((w for w in store.watches(target, limit=1) if w.opened_at >= deployed_at), None)


def picture(
    store: Store | None,
    target: str,
    *,
    fault: str,
    platform: str,
    seconds: float,
    doing: str,
    deployed_at: datetime | None,
    felt: Felt,
) -> Picture:
    """The picture now; without a store, before the engine runs. Raises StoreUnavailable, StoreDamaged."""
    watch = watch_of(store, target, deployed_at) if store else None
    events = store.events(target=target, limit=EVENTS) if store and deployed_at else []
    measurements = store.measurements(watch.id, limit=MEASUREMENTS) if store and watch else []
    return Picture(
        fault=fault,
        platform=platform,
        seconds=seconds,
        doing=doing,
        phases=phases(watch, events, deployed_at, passes=fault == "none"),
        rows=tuple(_row(shown, watch, measurements) for shown in RULES),
        lines=tuple(Line(_since(e.at, deployed_at), e.kind.value, e.message) for e in events),
        felt=felt,
    )


def phases(
    watch: Watch | None, events: list[Event], deployed_at: datetime | None, *, passes: bool
) -> tuple[Phase, ...]:
    """How far it is. `passes`: no rollback is expected, so its steps are shown only if it comes to one."""
    reached: dict[str, float] = {}
    bad = ""
    if watch is not None:
        moments = {"seen": watch.opened_at, "watching": watch.settled_at, "tripped": watch.condemned_at}
        for event in events:
            moments |= {_STEPS[event.kind]: event.at} if event.kind in _STEPS else {}
        moments |= {"known good": watch.ended_at} if watch.state is WatchState.passed else {}
        moments |= {"recovered": watch.ended_at} if watch.state is WatchState.recovered else {}
        reached = {name: _since(at, deployed_at) for name, at in moments.items() if at is not None}
        bad = _BAD_ENDS.get(watch.state, "")
    passed = watch is not None and watch.state is WatchState.passed
    way = GOOD_WAY if (passes or passed) and "tripped" not in reached else BAD_WAY
    if bad and watch is not None and watch.ended_at is not None:
        reached[bad] = _since(watch.ended_at, deployed_at)
        way = (*way[:-1], bad)
    return tuple(Phase(name, reached.get(name), bad=name == bad) for name in way)


_STEPS = {EventKind.rollback_started: "rolling back", EventKind.rollback_finished: "verifying"}
_BAD_ENDS = {state: state.value for state in (WatchState.failed, WatchState.blocked, WatchState.superseded)}


def _row(shown: Shown, watch: Watch | None, measurements: list[Measurement]) -> Row:
    mine = [m for m in measurements if m.rule == shown.rule]
    if watch is None or not mine:
        return Row(shown)
    worst = min if shown.low_is_bad else max
    values = tuple(worst((s.value for s in m.samples), default=None) for m in mine[-POINTS:])
    progress = watch.progress.get(shown.rule)
    return Row(
        shown,
        values=values,
        verdict=mine[-1].verdict.value,
        reason=mine[-1].reason,
        tripped=progress is not None and progress.tripped,
        measured=len(mine),
    )


def _since(at: datetime, deployed_at: datetime | None) -> float:
    return (at - deployed_at).total_seconds() if deployed_at else 0.0
