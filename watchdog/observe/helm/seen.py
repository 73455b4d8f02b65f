"""What a release means: from its newest revision, the body's facts and its workloads to a snapshot.

Pure. Instances, exits and `pods` are those of the new version only: while an operation is under way, or has failed, a
workload whose template it has not written has none; what ended before the revision was made never counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchdog.kubernetes.releases import DEPLOYED, FAILED, GONE, Release
from watchdog.model.base import format_duration
from watchdog.model.deploy import Exit, Phase, Rollout, Snapshot
from watchdog.observe.helm import pods as read
from watchdog.observe.helm.manifest import Facts, Hook
from watchdog.observe.helm.workloads import Workload, rollout

NO_PODS = "NO-PODS-YET"
"""Matches no pod's name, which are in lower case. (An empty text would match series that name no pod.)"""
MOST_PODS = 200
"""Named one by one; more are named by what their names begin with."""


@dataclass(frozen=True)
class Seen:
    """Everything that was read of a release for one snapshot."""

    release: Release
    facts: Facts
    workloads: Sequence[Workload] = ()
    before: Mapping[str, int] = field(default_factory=dict)
    """Container → how many of its ends do not count; for those of older pods."""
    last_words: Mapping[str, str] = field(default_factory=dict)
    """Container → the end of the log of its latest run that ended."""
    hook_words: Mapping[str, str] = field(default_factory=dict)
    """Hook → how its pod ended, with the end of its log."""
    active_at: datetime | None = None
    """When somebody was last seen to work on a pending release, but for Helm's own record."""


def glance(release: Release, facts: Facts, now: datetime, limit: timedelta) -> Snapshot:
    """What the revision's own record tells."""
    return Snapshot(
        at=now,
        fingerprint=release.fingerprint,
        name=str(release.version),
        rollout=_by_status(release, facts),
        whole=False,
        busy=busy(release, release.modified, now, limit),
        brought_back=facts.brought_back,
        plan=release.plan,
    )


def nothing(now: datetime) -> Snapshot:
    """There is no such release, or it is uninstalled."""
    return Snapshot(at=now, fingerprint="", rollout=Rollout(phase=Phase.arriving, reason="there is no such release"))


def snapshot(seen: Seen, now: datetime, limit: timedelta) -> Snapshot:
    """All that is true of the release."""
    release, since = seen.release, seen.release.created
    found = {w.ref: [read.containers(w.ref.name, pod) for pod in w.pods] for w in seen.workloads}
    each = [c for groups in found.values() for group in groups for c in group]
    crashed = [e for c in each for e in _exits(seen, c, since, now)]
    worked = max(release.modified, seen.active_at or release.modified)
    return Snapshot(
        at=now,
        fingerprint=release.fingerprint,
        name=str(release.version),
        summary=summary(seen.facts.images),
        images=dict(seen.facts.images),
        instances=tuple(read.instances(each, now)),
        exits=tuple(sorted(crashed, key=lambda e: (e.at, e.instance))),
        rollout=_rollout(seen, worked, now, limit),
        pods=pods(seen.workloads),
        busy=busy(release, worked, now, limit),
        brought_back=seen.facts.brought_back,
        plan=release.plan,
    )


def _exits(seen: Seen, c: read.Container, since: datetime, now: datetime) -> list[Exit]:
    before = seen.before.get(c.key, read.ends_before(c, since))
    return list(read.exits(c, since, before, now, seen.last_words.get(c.key, "")))


def busy(release: Release, worked: datetime, now: datetime, limit: timedelta) -> str:
    """Why nothing may be changed: an operation is pending, and not abandoned."""
    if not release.pending or now - worked >= limit:
        return ""
    return f"{operation(release)} is pending since {release.created:%H:%M:%S} UTC (revision {release.version})"


def operation(release: Release) -> str:
    """What made this revision: `helm upgrade`."""
    return f"helm {release.status.removeprefix('pending-')}"


def _by_status(release: Release, facts: Facts) -> Rollout:
    if release.status == DEPLOYED:
        return Rollout(phase=Phase.complete)
    if release.status == FAILED:
        said = f": {facts.description[:500]}" if facts.description else ""
        return Rollout(phase=Phase.failed, reason=f"revision {release.version} failed{said}")
    if release.pending:
        return Rollout(phase=Phase.arriving, reason=f"revision {release.version} is {release.status}")
    gone = release.status in GONE
    words = "is being uninstalled" if gone else f"has the status {release.status or '(none)'}"
    return Rollout(phase=Phase.arriving, reason=f"revision {release.version} {words}")


def _rollout(seen: Seen, worked: datetime, now: datetime, limit: timedelta) -> Rollout:
    release = seen.release
    if release.status == FAILED:
        return Rollout(phase=Phase.failed, reason=_failure(seen, now))
    states = [(w, rollout(w)) for w in seen.workloads]
    waiting = [_with_trouble(w, state.reason, now) for w, state in states if not state.done]
    if release.pending:
        if now - worked >= limit:
            return Rollout(phase=Phase.arriving, reason=_abandoned(release, worked, now))
        ours = [_with_trouble(w, state.reason, now) for w, state in states if not state.done and w.touched]
        words = [f"revision {release.version} is {release.status}", *ours[:1]]
        return Rollout(phase=Phase.arriving, reason="; ".join(words))
    if release.status != DEPLOYED:
        return _by_status(release, seen.facts)
    failed = next((_with_trouble(w, state.reason, now) for w, state in states if state.failed), "")
    if failed:
        return Rollout(phase=Phase.failed, reason=failed)
    return Rollout(phase=Phase.arriving if waiting else Phase.complete, reason=waiting[0] if waiting else "")


def _abandoned(release: Release, worked: datetime, now: datetime) -> str:
    return (
        f"revision {release.version} is {release.status} since {release.created:%Y-%m-%d %H:%M:%S} UTC, and nobody "
        f"has worked on it for {format_duration(now - worked)}: the {operation(release)} was most likely killed"
    )


def _failure(seen: Seen, now: datetime) -> str:
    """The cause: a hook with its log, else what Helm says with the first workload that is not well."""
    for hook in failed_hooks(seen.facts):
        words = seen.hook_words.get(str(hook.ref), "")
        return f"{hook.events} hook {hook.ref} failed{f': {words}' if words else f': {seen.facts.description[:300]}'}"
    said = _by_status(seen.release, seen.facts).reason
    states = [(w, rollout(w)) for w in seen.workloads if w.touched]
    why = next((_with_trouble(w, state.reason, now) for w, state in states if not state.done), "")
    return f"{said}; {why}" if why else said


def failed_hooks(facts: Facts) -> list[Hook]:
    """Hooks that ran for this revision and failed."""
    return [hook for hook in facts.hooks if hook.phase == "Failed"]


def _with_trouble(workload: Workload, reason: str, now: datetime) -> str:
    """The platform's reason, with what the first pod in trouble says."""
    each = (read.trouble(read.containers(workload.ref.name, pod), now) for pod in workload.pods)
    why = next((words for words in each if words), "")
    return f"{reason}; {why}" if why else reason


def summary(images: Mapping[str, str]) -> str:
    """`api: shop-api:2, db: postgres:17`."""
    return ", ".join(f"{service}: {short(image)}" for service, image in images.items())


def short(image: str) -> str:
    """An image without its registry, and with a short digest."""
    name, _, digest = image.rpartition("/")[2].partition("@")
    return f"{name}@{digest[:19]}" if digest else name


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """`api: shop-api:1 → shop-api:2`; what stayed the same is left out, unless all did."""
    words = [
        f"{service}: {short(before[service])} → {short(image)}" if service in before else f"{service}: {short(image)}"
        for service, image in now.items()
        if before.get(service) != image
    ]
    words += [f"{service}: removed" for service in before if service not in now]
    return ", ".join(words) or summary(now)


def pods(workloads: Sequence[Workload]) -> str:
    """A regular expression (RE2, without backslashes) of exactly the new version's pods, those of Jobs left out."""
    mine = [pod for w in workloads if w.ref.kind not in {"Job", "CronJob"} for pod in w.pods]
    names = sorted({str((pod.get("metadata") or {}).get("name")) for pod in mine})
    if len(names) > MOST_PODS:
        prefixes = {(pod.get("metadata") or {}).get("generateName") for pod in mine} - {None}
        names = sorted(f"{prefix}[a-z0-9]+" for prefix in prefixes)
    return "|".join(name.replace(".", "[.]") for name in names) or NO_PODS
