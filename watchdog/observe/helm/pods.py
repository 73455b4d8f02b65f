"""What pods mean: their containers as instances, abnormal exits, and what keeps them from being ready.

Pure, over the API's own objects. Every exit says which container of which pod. A container under `restartPolicy:
Always` that ends is an abnormal exit whatever its code, as Kubernetes itself restarts and backs off from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from watchdog.kubernetes.releases import instant
from watchdog.model.deploy import Exit, Instance

Thing = Mapping[str, Any]

CANT_START = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
    | {"RegistryUnavailable", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
    | {"SignatureValidationFailed", "PreCreateHookError", "PostStartHookError"}
)
STARTED_TWICE = timedelta(seconds=20)
"""After this long the kubelet has tried a second time: it waits 10 s after the first failure."""
LOST = frozenset({"Unknown", "ContainerStatusUnknown"})
"""A terminated container's reason where its node went away or was started again."""
CRASHED_BEFORE = timedelta(hours=1)
"""An older pod that crashed in this time before the deploy says nothing about the deploy."""
ALL = -1
"""Of a container's ends: none of them counts, nor any that is to come."""
MOST_WORDS = 400


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod: what was asked for, and what became of it."""

    service: str
    pod: Thing
    spec: Thing
    status: Thing
    init: bool
    """It runs to its end before the others."""
    one_shot: bool

    @property
    def name(self) -> str:
        """The container's own name."""
        return str(self.spec.get("name"))

    @property
    def key(self) -> str:
        """The same as long as the pod lives."""
        return f"{_metadata(self.pod).get('uid')}/{self.name}"

    @property
    def where(self) -> str:
        """For people."""
        return f"container {self.name} of pod {_metadata(self.pod).get('name')}"

    @property
    def waiting(self) -> Thing:
        """Why it waits to be started; empty when it does not."""
        return (self.status.get("state") or {}).get("waiting") or {}

    @property
    def ended(self) -> Thing:
        """Its latest end, if it is not running now; else empty."""
        state, last = self.status.get("state") or {}, self.status.get("lastState") or {}
        found = state.get("terminated") or (last.get("terminated") if "waiting" in state else None)
        return found or {}

    @property
    def ends(self) -> int:
        """How often it has ended. The kubelet counts restarts, which are one fewer while it is down."""
        return int(self.status.get("restartCount") or 0) + (1 if self.ended else 0)


def containers(service: str, pod: Thing) -> list[Container]:
    """The pod's containers. `service`: the workload's name; where a pod has several, each is a service of its own."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    statuses = {
        (key, one.get("name")): one
        for key in ("containerStatuses", "initContainerStatuses")
        for one in status.get(key) or ()
    }
    batch = spec.get("restartPolicy", "Always") != "Always"
    main = spec.get("containers") or ()
    found = []
    for key, specs in (("initContainerStatuses", spec.get("initContainers") or ()), ("containerStatuses", main)):
        for one in specs:
            init = key.startswith("init") and one.get("restartPolicy") != "Always"
            alone = len(main) == 1 and key == "containerStatuses"
            name = service if alone else f"{service}/{one.get('name')}"
            found.append(Container(name, pod, one, statuses.get((key, one.get("name")), {}), init, init or batch))
    return found


def instances(found: Sequence[Container], now: datetime) -> Iterator[Instance]:
    """Each container; init containers only while they are not done."""
    for c in found:
        if c.init and ((c.ended and c.ended.get("exitCode") == 0) or not c.status):
            continue
        state, ended = _state(c), c.ended
        yield Instance(
            id=c.key,
            service=c.service,
            name=f"{_metadata(c.pod).get('name')}/{c.name}",
            image=str(c.status.get("imageID") or "").rpartition("@")[2],
            state=state,
            health=health(c, now),
            exit_code=ended.get("exitCode"),
            restarts=int(c.status.get("restartCount") or 0),
            one_shot=c.one_shot,
            ended_abnormally=state == "exited" and ended.get("exitCode") != 0,
            started_at=_running_since(c),
        )


def _state(c: Container) -> Literal["created", "running", "restarting", "exited"]:
    state = c.status.get("state") or {}
    if "running" in state:
        return "running"
    if "terminated" in state:
        return "exited" if c.one_shot else "restarting"
    if c.waiting.get("reason") in CANT_START or c.ended:
        return "restarting"
    return "created"


def health(c: Container, now: datetime) -> Literal["none", "starting", "healthy", "unhealthy"]:
    """From its readiness probe: unhealthy when it is not ready although the probe has had all its attempts."""
    probe, since = c.spec.get("readinessProbe"), _running_since(c)
    if not probe or since is None:
        return "none"
    if c.status.get("ready"):
        return "healthy"
    allowed = _attempts(probe)
    if c.spec.get("startupProbe") and not c.status.get("started"):
        allowed += _attempts(c.spec["startupProbe"])
    return "unhealthy" if now >= since + allowed else "starting"


def _attempts(probe: Thing) -> timedelta:
    period, threshold = probe.get("periodSeconds") or 10, probe.get("failureThreshold") or 3
    first, limit = probe.get("initialDelaySeconds") or 0, probe.get("timeoutSeconds") or 1
    return timedelta(seconds=first + period * threshold + limit)


def _running_since(c: Container) -> datetime | None:
    return instant(((c.status.get("state") or {}).get("running") or {}).get("startedAt"))


def ends_before(c: Container, since: datetime) -> int:
    """How many of its ends, of which only the latest two are known, were before then. 0 for a pod made since; ALL for
    an older one that had crashed twice already, the last time shortly before."""
    if created(c.pod) >= since:
        return 0
    before = c.ends - sum(at >= since for _, at in _known(c))
    return ALL if before >= 2 and was_crashing(c, since) else before


def was_crashing(c: Container, since: datetime) -> bool:
    """Whether its last end before then was shortly before. Only the latest ends are described."""
    return any(since - CRASHED_BEFORE <= at < since for _, at in _known(c))


def exits(c: Container, since: datetime, before: int, now: datetime, last_words: str = "") -> Iterator[Exit]:
    """Its abnormal exits since the revision came, oldest first. `before`: how many ends of it do not count."""
    if before == ALL:
        return
    known = [(end, at) for end, at in _known(c) if at >= since or created(c.pod) >= since]
    missed = c.ends - before - len(known)
    for _ in range(missed):
        yield Exit(instance=c.key, service=c.service, at=max(created(c.pod), since), reason=f"{c.where} ended")
    for number, (end, at) in enumerate(known):
        if _abnormal(c, end):
            said = last_words if number == len(known) - 1 else ""
            yield Exit(
                instance=c.key,
                service=c.service,
                at=at,
                exit_code=end.get("exitCode"),
                oom_killed=end.get("reason") == "OOMKilled",
                reason=how_it_ended(c, end, said),
            )
    if created(c.pod) >= since:
        yield from _failed_starts(c, now)


def _failed_starts(c: Container, now: datetime) -> Iterator[Exit]:
    """A container that can't be started fails as often as it is tried; nobody counts that, but it is twice soon."""
    if c.waiting.get("reason") not in CANT_START or c.ended:
        return
    first = scheduled(c.pod) or created(c.pod)
    reason = cant_start(c)
    for at in (first, first + STARTED_TWICE):
        if now >= at:
            yield Exit(instance=c.key, service=c.service, at=at, reason=reason)


def cant_start(c: Container) -> str:
    """Why, in words."""
    message = " ".join(str(c.waiting.get("message") or "").split())
    image = f" (image {c.spec.get('image')})" if "mage" in str(c.waiting.get("reason")) else ""
    return _short(f"{c.where} can't be started: {c.waiting.get('reason')}{image}{f': {message}' if message else ''}")


def how_it_ended(c: Container, end: Thing, last_words: str = "") -> str:
    """`container api of pod api-6c8d-5wf64 exited with code 3: last lines`."""
    if end.get("reason") == "OOMKilled":
        how = "was killed: out of memory"
    elif end.get("signal"):
        how = f"was ended by signal {end['signal']}"
    else:
        how = f"exited with code {end.get('exitCode')}"
    said = " ".join(str(end.get("message") or last_words).split())
    return _short(f"{c.where} {how}{f'; it said last: {said}' if said else ''}")


def _short(text: str) -> str:
    return text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1] + "…"


def _known(c: Container) -> list[tuple[Thing, datetime]]:
    """The ends that the API still describes, oldest first."""
    found = []
    for key in ("lastState", "state"):
        end = (c.status.get(key) or {}).get("terminated")
        if end:
            found.append((end, instant(end.get("finishedAt")) or created(c.pod)))
    return found


def _abnormal(c: Container, end: Thing) -> bool:
    if end.get("reason") in LOST:
        return False
    return end.get("exitCode") != 0 or not c.one_shot


def trouble(found: Sequence[Container], now: datetime) -> str:
    """What keeps this pod from being ready, in words; empty when nothing does, or it is only beginning."""
    for c in found:
        if c.waiting.get("reason") in CANT_START:
            return cant_start(c)
        if c.ended and _abnormal(c, c.ended):
            return how_it_ended(c, c.ended) + f" ({c.ends} times so far)"
    for c in found:
        if health(c, now) == "unhealthy":
            return f"{c.where} runs, but its readiness probe fails"
    return unschedulable(found[0].pod) if found else ""


def unschedulable(pod: Thing) -> str:
    """Why the scheduler finds no node for it."""
    for one in (pod.get("status") or {}).get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("reason") == "Unschedulable":
            return _short(f"pod {_metadata(pod).get('name')} can't be scheduled: {one.get('message')}")
    return ""


def created(pod: Thing) -> datetime:
    """When the pod was made."""
    return instant(_metadata(pod).get("creationTimestamp")) or datetime(1970, 1, 1, tzinfo=UTC)


def scheduled(pod: Thing) -> datetime | None:
    """When it got its node."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((instant(c.get("lastTransitionTime")) for c in conditions if c.get("type") == "PodScheduled"), None)


def _metadata(pod: Thing) -> Thing:
    return pod.get("metadata") or {}
