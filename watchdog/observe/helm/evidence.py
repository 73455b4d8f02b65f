"""What a rollback of a release would destroy: events, states, logs and previous logs, and what the deploy changed.

Bounded and masked. Of a Secret nothing is shown but its name; its values are also masked wherever else they appear.
Part is better than nothing: what can't be read is a note saying so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from watchdog.errors import Refused, Unavailable
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.paths import CORE, path
from watchdog.kubernetes.releases import Release, instant
from watchdog.model.deploy import EvidenceItem
from watchdog.model.masking import mask, secrets_in
from watchdog.model.target import HelmSpec
from watchdog.observe.helm import pods as read
from watchdog.observe.helm import read as helm_read
from watchdog.observe.helm.difference import difference, secret_values
from watchdog.observe.helm.manifest import Hook
from watchdog.observe.helm.seen import Seen, failed_hooks
from watchdog.observe.helm.workloads import Thing

LIMIT = 64 * 1024
"""Bytes of one text at most, the newest."""
LINES_OF_FAILING, LINES_OF_OTHERS = 1_000, 100
MOST_CONTAINERS, MOST_PODS, MOST_EVENTS = 8, 10, 300

Kind = Literal["logs", "events", "state", "difference", "note"]


def evidence(cluster: Cluster, spec: HelmSpec, kept: Sequence[Release], seen: Seen) -> list[EvidenceItem]:
    """The difference first, then events and states, then logs, failing containers first. `kept`: newest first."""
    here = _Collected(cluster)
    here.attempt("the manifests' difference", lambda: _difference(here, spec, kept))
    each = [c for w in seen.workloads for pod in w.pods for c in read.containers(w.ref.name, pod)]
    hooks = [c for hook in failed_hooks(seen.facts) for c in here.hook(hook)]
    here.secrets |= {value for c in (*each, *hooks) for value in secrets_in(_environment(c.spec))}
    here.attempt("events", lambda: _events(here, spec, seen, hooks))
    for workload in seen.workloads:
        if workload.thing is not None:
            here.add("state", str(workload.ref), _json(_workload_state(workload.thing)))
    failing = [c for c in (*hooks, *each) if c.ends or read.trouble([c], seen.release.created)]
    pods = {id(c.pod): c.pod for c in (*failing, *each)}
    for pod in list(pods.values())[:MOST_PODS]:
        here.add("state", f"Pod/{_metadata(pod).get('name')}", _json(_pod_state(pod)))
    others = [c for c in each if c not in failing]
    for c in [*failing, *others][:MOST_CONTAINERS]:
        _logs(here, c, LINES_OF_FAILING if c in failing else LINES_OF_OTHERS)
    left_out = len(failing) + len(others) - MOST_CONTAINERS
    if left_out > 0:
        here.add("note", "containers left out", f"the logs of {left_out} more containers are not in this evidence")
    return here.items


class _Collected:
    """The items so far, and the values to mask in all of them."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.secrets: set[str] = set()
        self.items: list[EvidenceItem] = []

    def add(self, kind: Kind, name: str, text: str) -> None:
        """Masked before it is cut, so that no secret slips through at the cut."""
        raw = mask(text, self.secrets).encode("utf-8", errors="replace")
        kept = raw[-LIMIT:].decode("utf-8", errors="ignore")
        self.items.append(EvidenceItem(kind=kind, name=name, text=kept, truncated=len(raw) > LIMIT))

    def attempt(self, what: str, make: Callable[[], None]) -> None:
        """Note what can't be read, and go on."""
        try:
            make()
        except (Refused, Unavailable) as error:
            self.add("note", what, f"{what} could not be read: {error}")

    def hook(self, hook: Hook) -> list[read.Container]:
        """A failed hook's containers, where they are still there."""
        try:
            return helm_read.hook_containers(self.cluster, hook)
        except (Refused, Unavailable) as error:
            self.add("note", str(hook.ref), f"the pods of hook {hook.ref} could not be read: {error}")
            return []


def _difference(here: _Collected, spec: HelmSpec, kept: Sequence[Release]) -> None:
    """Between this revision and the last one before it whose manifest was applied."""
    now = helm_read.body(here.cluster, spec, kept[0])
    here.secrets |= secret_values(str(now.get("manifest") or ""))
    before = next((r for r in kept[1:] if r.status in {"deployed", "superseded"}), None)
    if before is None:
        here.add("note", "difference", f"there is no revision before {kept[0].version} to compare with")
        return
    then = helm_read.body(here.cluster, spec, before)
    here.secrets |= secret_values(str(then.get("manifest") or ""))
    names = (f"revision {before.version}", f"revision {kept[0].version}")
    text = difference(str(then.get("manifest") or ""), str(now.get("manifest") or ""), names)
    here.add("difference", " → ".join(names), text or "the manifests are the same")


def _events(here: _Collected, spec: HelmSpec, seen: Seen, hooks: Sequence[read.Container]) -> None:
    names = {w.ref.name for w in seen.workloads} | {h.ref.name for h in seen.facts.hooks}
    names |= {str(_metadata(c.pod).get("name")) for c in hooks}
    lines = []
    for event in here.cluster.items(path(CORE, "events", spec.namespace)):
        thing = event.get("involvedObject") or {}
        name = str(thing.get("name", ""))
        if name in names or any(name.startswith(f"{known}-") for known in names):
            lines.append((_when(event), _event(event, f"{thing.get('kind')}/{name}")))
    here.add("events", "events", "\n".join(line for _, line in sorted(lines)[-MOST_EVENTS:]) or "(none)")


def _event(event: Thing, thing: str) -> str:
    times = f" ({event['count']} times)" if (event.get("count") or 1) > 1 else ""
    message = " ".join(str(event.get("message", "")).split())
    return f"{_when(event)} {event.get('type')} {event.get('reason')} {thing}{times}: {message}"


def _when(event: Thing) -> str:
    known = (event.get(key) for key in ("lastTimestamp", "eventTime", "firstTimestamp"))
    at = next((found for found in map(instant, known) if found), None)
    return at.isoformat(timespec="seconds") if at else ""


def _logs(here: _Collected, c: read.Container, lines: int) -> None:
    pod = _metadata(c.pod)
    where = path(CORE, "pods", str(pod.get("namespace")), str(pod.get("name")), "log")
    name = f"{pod.get('name')}/{c.name}"
    runs = [("", False), *([(" (previous run)", True)] if c.status.get("restartCount") else [])]
    for words, previous in runs:
        if not c.status.get("containerID"):
            continue  # it never ran
        asked: dict[str, str | int] = {"container": c.name, "tailLines": lines, "timestamps": "true"}
        asked |= {"limitBytes": 4 * LIMIT, "previous": str(previous).lower()}
        try:
            here.add("logs", name + words, here.cluster.text(where, asked))
        except (Refused, Unavailable) as error:
            here.add("note", f"{name} log{words}", f"the log could not be read: {error}")


def _workload_state(thing: Thing) -> dict[str, Any]:
    spec, metadata = thing.get("spec") or {}, _metadata(thing)
    return {
        "name": metadata.get("name"),
        "generation": metadata.get("generation"),
        "replicas": spec.get("replicas"),
        "strategy": spec.get("strategy") or spec.get("updateStrategy"),
        "status": thing.get("status"),
    }


def _pod_state(pod: Thing) -> dict[str, Any]:
    """As `kubectl describe` would, with the names of the variables but none of their values."""
    spec, status, metadata = pod.get("spec") or {}, pod.get("status") or {}, _metadata(pod)
    return {
        "name": metadata.get("name"),
        "created": metadata.get("creationTimestamp"),
        "labels": metadata.get("labels"),
        "node": spec.get("nodeName"),
        "phase": status.get("phase"),
        "reason": status.get("reason"),
        "message": status.get("message"),
        "conditions": [c for c in status.get("conditions") or () if c.get("status") != "True" or c.get("message")],
        "containers": [_container(c) for c in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))],
        "statuses": [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())],
    }


def _container(spec: Thing) -> dict[str, Any]:
    shown = ("name", "image", "command", "args", "resources", "readinessProbe", "livenessProbe", "startupProbe")
    names = [one.get("name") for one in spec.get("env") or ()]
    return {key: spec[key] for key in shown if key in spec} | {"environmentNames": names}


def _environment(spec: Thing) -> Mapping[str, str]:
    return {str(one.get("name")): str(one.get("value") or "") for one in spec.get("env") or ()}


def _json(shown: Mapping[str, Any]) -> str:
    return json.dumps(shown, indent=1, default=str)


def _metadata(thing: Thing) -> Thing:
    return thing.get("metadata") or {}
