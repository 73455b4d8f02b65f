"""What a project's containers mean: its revision's fingerprint, its instances, their crashes, how far the rollout is.

Pure: containers and what is remembered of them in, values out. During an `up` old and new containers exist at once;
the newest one of a service says what the service is now.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from watchdog.compose.engine import Container
from watchdog.compose.services import declared_one_shots
from watchdog.model.deploy import Exit, Instance, Phase, Rollout
from watchdog.observe.compose.events import End, stops

SAME_ROLLOUT = timedelta(seconds=60)
"""Containers made this shortly before a rollout's last one belong to it: services are replaced one after another."""
UP_AGAIN = timedelta(seconds=10)
"""How long a restarted container must run before the rollout may count as complete."""
CRASHED_BEFORE = timedelta(hours=1)
"""A container that crashed twice in this time before the deploy says nothing about the deploy."""

SAME_END = timedelta(seconds=2)
"""The event of an end and the state that tells of it differ by some milliseconds."""

_TEMPORARY = re.compile(r"^[0-9a-f]{12}_")  # how Compose names a container while it replaces another
_KEEPS_RUNNING = frozenset({"always", "unless-stopped"})
_BY_SIGNAL = frozenset({128 + 2, 128 + 9, 128 + 15})  # ended by INT, KILL or TERM: as a stop does
_UNKNOWN_STATE: Literal["dead"] = "dead"


@dataclass(frozen=True)
class Seen:
    """A container, and what the events told of it."""

    container: Container
    ends: tuple[End, ...] = ()
    stopped: bool = False
    sent: int | None = None
    """The latest signal it was sent since it was started."""


def generations(seen: Sequence[Seen]) -> dict[str, list[Seen]]:
    """Service → its containers of the newest config and image, oldest first. `seen` is oldest first."""
    newest = {s.container.service: _version(s.container) for s in seen}
    out: dict[str, list[Seen]] = {}
    for s in seen:
        if _version(s.container) == newest[s.container.service]:
            out.setdefault(s.container.service, []).append(s)
    return dict(sorted(out.items()))


def _version(container: Container) -> tuple[str, str]:
    return (container.config_hash, container.image)


def one_shots_of(seen: Sequence[Seen]) -> frozenset[str]:
    """Services that are said to run once."""
    return declared_one_shots([s.container for s in seen])


def fingerprint(seen: Sequence[Seen]) -> str:
    """Changes exactly when the config-hash or the image of a service does; scale, restarts and states do not count.

    A one-shot service counts only while its failure stands: that its container is gone (pruned) is no deploy.
    """
    one_shots = one_shots_of(seen)
    since = deployed_at(seen)
    lines = [
        f"{service} {newest[-1].container.config_hash} {newest[-1].container.image}"
        for service, newest in generations(seen).items()
        if service not in one_shots or _failed_since(newest[-1], since)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32] if lines else ""


def deployed_at(seen: Sequence[Seen]) -> datetime | None:
    """When the newest generation of any service appeared. Scaling and restarting do not move it."""
    return max((newest[0].container.created for newest in generations(seen).values()), default=None)


def images(seen: Sequence[Seen]) -> dict[str, str]:
    """Service → image id of its newest container."""
    return {service: newest[-1].container.image for service, newest in generations(seen).items()}


def summary(seen: Sequence[Seen]) -> str:
    """`api: shop-api:2 (sha256:ab12…), web: …`."""
    parts = []
    for service, newest in generations(seen).items():
        name, image = newest[-1].container.image_name, newest[-1].container.image
        short = image.removeprefix("sha256:")[:12]
        parts.append(f"{service}: {short}" if name.startswith("sha256:") else f"{service}: {name} ({short})")
    return ", ".join(parts)


def pods(seen: Sequence[Seen]) -> str:
    """A regular expression (RE2, without backslashes) of the newest containers' names, one-shots left out."""
    one_shots = one_shots_of(seen)
    names = {_name(s.container) for service, n in generations(seen).items() if service not in one_shots for s in n}
    return "|".join(name.replace(".", "[.]") for name in sorted(names))


def _name(container: Container) -> str:
    return _TEMPORARY.sub("", container.name)


def instances(seen: Sequence[Seen]) -> tuple[Instance, ...]:
    """Every container, old ones still there included."""
    declared = one_shots_of(seen)
    return tuple(_instance(s, declared) for s in seen)


def _instance(seen: Seen, declared: frozenset[str]) -> Instance:
    c = seen.container
    return Instance(
        id=c.id,
        service=c.service,
        name=_name(c),
        image=c.image,
        state=_state(c),
        health=c.health if c.health in {"none", "starting", "healthy", "unhealthy"} else "none",
        exit_code=c.exit_code if c.state in {"exited", "restarting", "dead"} or c.error else None,
        restarts=c.restarts,
        one_shot=c.service in declared or _finished(seen),
        ended_abnormally=ended_abnormally(seen),
        started_at=c.started_at,
    )


def _state(c: Container) -> Literal["created", "running", "restarting", "exited", "paused", "dead"]:
    if c.state == "created" and c.error:
        return "exited"  # it was tried
    known: dict[str, Literal["created", "running", "restarting", "exited", "paused", "dead"]] = {
        "created": "created",
        "running": "running",
        "restarting": "restarting",
        "exited": "exited",
        "paused": "paused",
    }
    return known.get(c.state, _UNKNOWN_STATE)


def _finished(seen: Seen) -> bool:
    """It ran to its end and was not meant to go on: a job, even if nobody declared it one."""
    c = seen.container
    return c.state == "exited" and c.exit_code == 0 and not c.error and c.restart_policy not in _KEEPS_RUNNING


def ended_abnormally(seen: Seen) -> bool:
    """Whether it is down and nobody ordered that. In doubt, when its events were lost, it was ordered."""
    c = seen.container
    if c.error and c.state in {"created", "exited"}:
        return True
    if c.state != "exited" or seen.stopped or c.restart_policy in _KEEPS_RUNNING:
        return False  # the engine would have started it again, if nobody had stopped it
    if c.exit_code == 0 and not c.oom_killed:
        return False
    last = seen.ends[-1] if seen.ends else None
    if last is not None and c.finished_at is not None and abs(last.at - c.finished_at) < SAME_END:
        return not last.ordered(c.stop_signal)
    if stops(seen.sent, c.stop_signal):
        return False  # the event of its end is still on its way
    return c.oom_killed or c.exit_code not in _BY_SIGNAL


def _failed_since(seen: Seen, since: datetime | None) -> bool:
    """It is down abnormally, and that was not already so before the latest deploy."""
    finished = seen.container.finished_at
    return ended_abnormally(seen) and (finished is None or since is None or finished >= since)


def exits(seen: Sequence[Seen]) -> tuple[Exit, ...]:
    """Abnormal exits since the latest deploy, oldest first.

    Of containers older than that, only later exits count, and none at all if they were crashing before it.
    """
    since = deployed_at(seen)
    if since is None:
        return ()
    found = [e for s in seen for e in _since(s, _abnormal(s), since)]
    return tuple(sorted(found, key=lambda e: (e.at, e.instance)))


def _since(seen: Seen, found: list[Exit], since: datetime) -> list[Exit]:
    if seen.container.created >= since - SAME_ROLLOUT:
        return found
    if sum(since - CRASHED_BEFORE <= e.at < since for e in found) >= 2:
        return []
    return [e for e in found if e.at >= since]


def _abnormal(seen: Seen) -> list[Exit]:
    """All abnormal exits of one container. Those the events did not tell are known from the engine's own count."""
    c = seen.container
    restarted = c.restart_policy in _KEEPS_RUNNING
    known = [
        _exit(seen, e.at, e.exit_code, oom=e.oom_killed)
        for e in seen.ends
        if not e.ordered(c.stop_signal) and (e.exit_code != 0 or e.oom_killed or restarted)
    ]
    down = ended_abnormally(seen)
    missed = c.restarts + (1 if down else 0) - len(known)
    if missed > 0 and not known:
        ended = c.state in {"exited", "restarting"} or bool(c.error)
        last = max(c.finished_at or c.created, c.created)
        known = [_exit(seen, last, c.exit_code if ended else None, oom=c.oom_killed)]
        missed -= 1
    return [_exit(seen, c.created, None, oom=False) for _ in range(missed)] + known


def _exit(seen: Seen, at: datetime, code: int | None, *, oom: bool) -> Exit:
    c = seen.container
    if oom:
        reason = "killed by the kernel: out of memory"
    elif c.error:
        reason = f"could not be started: {c.error[:200]}"
    elif code is None:
        reason = f"restarted by the engine ({c.restarts} times so far)"
    elif code == 0:
        reason = f"exited with code 0 and was restarted again (restart: {c.restart_policy})"
    else:
        reason = f"exited with code {code}"
    return Exit(instance=_name(c), service=c.service, at=at, exit_code=code, oom_killed=oom, reason=reason)


def rollout(seen: Sequence[Seen], now: datetime) -> Rollout:
    """How far the newest `up` is, with the first thing that keeps it from being complete."""
    declared, since = one_shots_of(seen), deployed_at(seen)
    newest = [s for group in generations(seen).values() for s in group]
    for s in newest:
        if _failed_since(s, since):
            return Rollout(phase=Phase.failed, reason=_failure(s, declared))
    if not newest:
        return Rollout(phase=Phase.arriving, reason="no containers")
    waiting = _replacing(seen) or next((w for s in newest if (w := _waits_for(s, declared, now))), "")
    return Rollout(phase=Phase.arriving if waiting else Phase.complete, reason=waiting)


def _failure(seen: Seen, declared: frozenset[str]) -> str:
    c = seen.container
    if c.error:
        return f"service {c.service} could not be started: {c.error[:300]}"
    why = "ran out of memory" if c.oom_killed else f"exited with code {c.exit_code}"
    return f"service {c.service} {why}" + ("" if c.service in declared else " and nothing restarts it")


def _replacing(seen: Sequence[Seen]) -> str:
    places = [(s.container.service, s.container.number) for s in seen]
    return next((f"service {p[0]} is being replaced" for p in places if places.count(p) > 1), "")


def _waits_for(seen: Seen, declared: frozenset[str], now: datetime) -> str:
    c = seen.container
    if c.state == "created":
        return f"service {c.service} is not started yet"
    if c.state == "restarting":
        return f"service {c.service} is restarting ({c.restarts} times so far, last exit code {c.exit_code})"
    if c.state in {"running", "paused"}:
        return _runs_but(c, declared, now)
    return ""  # finished, or stopped by someone


def _runs_but(c: Container, declared: frozenset[str], now: datetime) -> str:
    if c.service in declared:
        return f"one-shot service {c.service} has not finished"
    if c.health in {"starting", "unhealthy"}:
        return f"service {c.service} is {c.health}"
    if c.restarts and c.started_at is not None and now - c.started_at < UP_AGAIN:
        return f"service {c.service} was restarted {c.restarts} times, just now again"
    return ""
