"""Small, valid values to store; each test says only what it is about."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from typing import Any

from watchdog.model.deploy import EvidenceItem, Revision
from watchdog.model.incident import Bookmark, Event, EventKind, Incident, Notice, Pause
from watchdog.model.measurement import Measurement, Sample, Verdict
from watchdog.model.rollback import ActResult, Draft, Objection, Objections, Plan, Rollback, Verification
from watchdog.model.series import Scrape
from watchdog.model.watch import Decision, DecisionKind, Progress, Watch, WatchState

T0 = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def watch(watch_id: str = "w1", version: int = 1, **changes: Any) -> Watch:
    fields = {
        "id": watch_id,
        "target": "shop",
        "environment": "production",
        "platform": "compose",
        "revision": "r2",
        "fingerprint": "f2",
        "previous": "r1",
        "opened_at": T0,
        "changed_at": T0,
        "seen_at": T0,
        "version": version,
    }
    return Watch.model_validate(fields | changes)


def ended(watch_id: str, version: int, when: datetime, **changes: Any) -> Watch:
    return watch(watch_id, version, state=WatchState.passed, ended_at=when, **changes)


def revision(revision_id: str = "r1", seconds: float = 0, **changes: Any) -> Revision:
    fields = {"target": "shop", "id": revision_id, "fingerprint": f"f-{revision_id}", "seen_at": at(seconds)}
    return Revision.model_validate(fields | changes)


def measurement(watch_id: str = "w1", rule: str = "latency-p99", seconds: float = 0, **changes: Any) -> Measurement:
    fields = {
        "watch": watch_id,
        "rule": rule,
        "at": at(seconds),
        "query": "histogram_quantile(0.99, …)",
        "verdict": Verdict.failed,
        "reason": "p99 1.84 > 1.0",
    }
    return Measurement.model_validate(fields | changes)


def event(event_id: str = "e1", seconds: float = 0, **changes: Any) -> Event:
    fields = {
        "id": event_id,
        "kind": EventKind.rule_tripped,
        "at": at(seconds),
        "target": "shop",
        "environment": "production",
        "watch": "w1",
        "message": "latency-p99 tripped: p99 1.84 > 1.0 for 45s",
    }
    return Event.model_validate(fields | changes)


def incident(incident_id: str = "i1", seconds: float = 0, **changes: Any) -> Incident:
    fields = {
        "id": incident_id,
        "watch": "w1",
        "target": "shop",
        "environment": "production",
        "revision": "r2",
        "opened_at": at(seconds),
        "state": WatchState.condemned,
        "headline": "latency-p99 tripped",
    }
    return Incident.model_validate(fields | changes)


def rollback(rollback_id: str = "p1", seconds: float = 0, **changes: Any) -> Rollback:
    fields = {
        "id": rollback_id,
        "target": "shop",
        "watch": "w1",
        "from_revision": "r2",
        "to_revision": "r1",
        "automatic": True,
        "started_at": at(seconds),
    }
    return Rollback.model_validate(fields | changes)


def notice(notice_id: str = "e1/oncall", due: float = 0, created: float = 0) -> Notice:
    event_id, receiver = notice_id.split("/")
    return Notice(id=notice_id, event=event(event_id), receiver=receiver, created_at=at(created), next_at=at(due))


def pause(target: str = "shop", reason: str = "database move") -> Pause:
    return Pause(target=target, since=T0, until=at(7200), reason=reason, by="mara")


def bookmark(target: str = "shop", rev: str = "r1") -> Bookmark:
    return Bookmark(target=target, revision=rev, fingerprint=f"f-{rev}", seen_at=T0)


def logs(text: str = "Traceback …", name: str = "api") -> EvidenceItem:
    return EvidenceItem(kind="logs", name=name, text=text)


def plan() -> Plan:
    draft = Draft(
        changes=("api",),
        expected={"api": "sha256:aa"},
        commands=(("docker", "compose", "up", "-d"),),
        warnings=("the bind mount ./conf changed",),
    )
    return Plan(
        id="p1",
        target="shop",
        watch="w1",
        from_revision="r2",
        from_fingerprint="f2",
        to_revision="r1",
        draft=draft,
        made_at=at(60),
    )


def full_watch() -> Watch:
    """A watch with all that can be in one."""
    progress = Progress(
        measured=9,
        failures=3,
        consecutive_failures=3,
        failing_since=at(15),
        last=Verdict.failed,
        last_at=at(60),
        last_reason="p99 1.84 > 1.0",
        tripped=True,
        trip_reason="p99 1.84 > 1.0 for 45s",
    )
    return watch(
        state=WatchState.verifying,
        settled_at=at(2.5),
        blind=timedelta(microseconds=1_500_001),
        progress={"latency-p99": progress},
        decision=Decision(kind=DecisionKind.rollback, reason="latency-p99 tripped", rules=("latency-p99",)),
        plan=plan(),
        objection=Objection(name=Objections.cooldown, reason="rolled back 4m ago, cooldown 30m"),
        verification=Verification(began_at=at(63), passing_since=at(64), lines=("api runs sha256:aa",)),
        verify_progress={"latency-p99": Progress(measured=1, last=Verdict.passed)},
        incident="i1",
    )


def full_values() -> dict[str, Any]:
    """One value of each stored kind, by name, with everything filled in that a store has to carry."""
    numbers = [float("nan"), float("inf"), float("-inf"), -0.0, 1.84, 5e-324]
    samples = tuple(Sample(value=value, labels={"pod": f"api-{n}", "päth": "/☃"}) for n, value in enumerate(numbers))
    return {
        "Watch": full_watch(),
        "Revision": revision(
            summary="api: 1.4 → 1.5",
            images={"api": "sha256:bb"},
            exact=False,
            note="images only",
            recorded={"services": {"api": {"environment": {"DATABASE_PASSWORD": "pa\u0000ss\"'☃"}, "ports": [8080]}}},
            known_good=True,
            known_good_at=at(600),
            known_good_because="watched",
        ),
        "Measurement": measurement(samples=samples, series=6, took=timedelta(milliseconds=12), phase="verification"),
        "Event": event(incident="i1", revision="r2", detail={"value": 1.84, "rules": ["latency-p99"], "n": None}),
        "EvidenceItem": logs("line\n\u0000\x1b[31mred\n"),
        "Incident": incident(closed_at=at(99), rules=("latency-p99",)),
        "Rollback": rollback(
            finished_at=at(63), result=ActResult(ok=True, reason="done", output="…", took=timedelta(seconds=2.25))
        ),
        "Pause": pause(),
        "Bookmark": bookmark(),
    }


def scrape(seconds: float = 0, *values: float, page: str = "shop page", selectors: tuple[str, ...] = ("a",)) -> Scrape:
    """A scrape of as many series as there are values."""
    labels = tuple({"__name__": "a", "n": str(n), "päth": "/☃\u0000"} for n in range(len(values)))
    return Scrape(page, at(seconds), selectors, labels, array("d", values))
