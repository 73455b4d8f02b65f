"""Rolls a Helm release back: `helm rollback RELEASE REVISION --wait`, to a revision that is named, never beside another
operation.

What Helm would refuse half-way is found out first, by comparing the two revisions' manifests with what is there. The
revision that is made carries the plan's mark from its birth, so that a watchdog killed in the middle, also by its own
rollback, knows it again and finishes the same plan. Nothing is forced, and nothing of Helm's history is deleted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import cast, get_args

from watchdog.act.helm.cluster import suspend
from watchdog.act.helm.command import arguments, environment, last_words, major_version, still_running
from watchdog.act.helm.draft import SUSPENDED, say
from watchdog.act.helm.owners import Owner, OwnerKind
from watchdog.act.helm.plan import Step, differences, mark_of, next_step
from watchdog.act.helm.reading import read
from watchdog.act.helm.storage import Storage, parse
from watchdog.clock import Clock, SystemClock
from watchdog.errors import Refused, Unavailable
from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.releases import DEPLOYED, PLAN_LABEL, SUPERSEDED, Release
from watchdog.model.deploy import Phase, Revision, Snapshot
from watchdog.model.masking import mask
from watchdog.model.rollback import ActResult, Draft, Plan
from watchdog.model.target import HelmSpec, Target
from watchdog.subprocesses import run

OUTPUT_KEPT = 16 * 1024
"""Bytes of what Helm printed, the last ones."""

GRACE = 5.0
"""Seconds that a revision of this plan may still be pending before it is finished from here: where the rollback
replaces the watchdog's own pod, the Helm in the old pod may be about to end."""

_LOOK = 0.5  # seconds between looks at a helm that a killed watchdog left behind


class HelmActor:
    """The `Actor` of targets with a `helm:` section."""

    def __init__(self, clock: Clock | None = None, secrets: Collection[str] = ()) -> None:
        """`clock`: what the age of a pending operation is read from. `secrets`: environment variables that Helm, and
        the credential program of a kubeconfig that it starts, must not see."""
        self._clock = clock or SystemClock()
        self._secrets = secrets
        self._clusters: dict[tuple[str | None, str | None], Cluster] = {}
        self._lock = threading.Lock()

    def draft(self, target: Target, to: Revision, running: Snapshot) -> Draft:
        """What `execute` would do, and who objects. In `commands`, PLAN stands for the plan's id."""
        spec = _spec(target)
        storage = self._storage(spec)
        history = storage.history()
        stored = _restorable(history, to.id, spec)
        major = major_version(spec, self._environment(spec))
        says = say(read(self._cluster(spec), spec, storage, history, stored, major), target.rollback, parse)
        if says.refusals:
            raise Refused(f"revision {to.id} can't be brought back: {'; '.join(says.refusals)}")
        patches = [("kubectl", "--namespace", str(o.namespace), "patch", o.kind.lower(), o.name) for o in says.suspend]
        mark = f"{PLAN_LABEL}={mark_of('PLAN', history[0].version + 1)}"
        label = ("kubectl", "--namespace", spec.namespace, "label", spec.storage, storage.name_of(stored.version), mark)
        argv = arguments(spec, major, to.id, target.rollback.timeout, _description("PLAN", to.id))
        return Draft(
            changes=says.changes,
            expected={"revision": to.id, **{str(owner): SUSPENDED for owner in says.suspend}},
            commands=(*patches, label, argv),
            warnings=says.warnings,
            objections=says.objections,
        )

    def execute(self, target: Target, plan: Plan, to: Revision) -> ActResult:
        """Carry it out. A failure is a result, with Helm's last words."""
        began = time.monotonic()
        deadline = began + target.rollback.timeout.total_seconds()
        try:
            ok, reason, output = self._carry_out(target, plan, deadline)
        except (Refused, Unavailable) as error:
            ok, reason, output = False, str(error), ""
        took = timedelta(seconds=time.monotonic() - began)
        return ActResult(ok=ok, reason=reason, output=mask(output, ()), took=took)

    def matches(self, target: Target, plan: Plan, running: Snapshot) -> Sequence[str]:
        """The newest revision is this plan's, or brought the same revision back, and its rollout is complete. Pure."""
        rollout = running.rollout
        problem = "" if rollout.phase is Phase.complete else rollout.reason or f"its rollout is {rollout.phase}"
        return differences(plan, running.name, running.plan, running.brought_back, problem)

    def preserve(self, target: Target, keep: Sequence[Revision]) -> None:
        """Nothing: Helm keeps its revisions itself, and the nodes the images."""

    def _storage(self, spec: HelmSpec) -> Storage:
        return Storage(self._cluster(spec), spec)

    def _environment(self, spec: HelmSpec) -> dict[str, str]:
        return environment(spec, secrets=self._secrets)

    def close(self) -> None:
        """Close the connections to clusters."""
        for cluster in self._clusters.values():
            cluster.close()

    def _cluster(self, spec: HelmSpec) -> Cluster:
        with self._lock:
            return self._clusters.setdefault(
                (spec.kubeconfig, spec.context), Cluster(spec.kubeconfig, spec.context, self._secrets)
            )

    def _carry_out(self, target: Target, plan: Plan, deadline: float) -> tuple[bool, str, str]:
        spec = _spec(target)
        storage, env = self._storage(spec), self._environment(spec)
        major = major_version(spec, env)
        description = _description(plan.id, plan.to_revision)
        argv = arguments(spec, major, plan.to_revision, target.rollback.timeout, description)
        pid = _wait_for_it(argv, deadline)
        history, step = self._look(storage, plan, spec)
        patience = min(deadline, time.monotonic() + GRACE)
        while step.kind == "ours is pending" and time.monotonic() < patience:
            time.sleep(_LOOK)
            history, step = self._look(storage, plan, spec)
        if step.kind in {"done", "refuse"}:
            return step.kind == "done", step.reason, ""
        if pid is not None:
            return False, f"`helm rollback` (pid {pid}) of a watchdog that was killed is still running", ""
        for owner in _to_suspend(plan):
            suspend(self._cluster(spec), owner)
        version = history[0].version + 1
        storage.mark(int(plan.to_revision), mark_of(plan.id, version))
        left = timedelta(seconds=max(1.0, deadline - time.monotonic()))
        done = run(argv, timeout=left, env=env, keep="end", cwd="/")
        output = (done.err + done.out)[-OUTPUT_KEPT:]
        if done.ok:
            return True, f"revision {version} brings {plan.to_revision} back", output
        reason = f"`helm rollback` {done.outcome}: {mask(last_words(done), ())}"
        return False, f"{reason}{self._aftermath(storage, plan, version)}", output

    def _look(self, storage: Storage, plan: Plan, spec: HelmSpec) -> tuple[list[Release], Step]:
        history = storage.history()
        return history, next_step(history, plan, spec.pending_limit, self._clock.now())

    def _aftermath(self, storage: Storage, plan: Plan, version: int) -> str:
        """What a failed attempt left, in words; a mark that made no revision is taken off again."""
        try:
            newest = storage.history()[:1]
            if not newest or newest[0].version < version:
                storage.mark(int(plan.to_revision), None)
                return "; it made no revision"
        except (Refused, Unavailable) as error:
            return f"; what it left is not known: {error}"
        if newest[0].pending:
            again = f"`helm rollback` to {plan.to_revision} by hand ends that"
            return f"; revision {version} is left {newest[0].status}, and `helm upgrade` refuses to work: {again}"
        return f"; revision {version} is {newest[0].status}"


def _spec(target: Target) -> HelmSpec:
    if not isinstance(target.spec, HelmSpec) or target.is_pattern:
        raise Refused(f"target {target.name} is no Helm release")
    return target.spec


def _restorable(history: Sequence[Release], wanted: str, spec: HelmSpec) -> Release:
    """The revision to bring back. Raises Refused when Helm has it no longer, or it never was whole."""
    stored = next((stored for stored in history if str(stored.version) == wanted), None)
    if stored is None:
        kept = ", ".join(str(stored.version) for stored in history) or "none"
        raise Refused(
            f"revision {wanted} of release {spec.release} is no longer in Helm's history ({kept} are); name one of "
            "those with --to, or keep more: `helm upgrade --history-max`"
        )
    if stored.status not in (DEPLOYED, SUPERSEDED):
        raise Refused(f"revision {wanted} of release {spec.release} is {stored.status}: it never ran as a whole")
    return stored


def _description(plan: str, to: str) -> str:
    return f"deploy-watchdog {plan}: back to revision {to}"


def _to_suspend(plan: Plan) -> list[Owner]:
    """The owners that the plan expects to be suspended: `HelmRelease flux-system/app`."""
    found = []
    for words, state in plan.draft.expected.items():
        kind, _, place = words.partition(" ")
        namespace, _, name = place.partition("/")
        if state == SUSPENDED and kind in get_args(OwnerKind):
            found.append(Owner(cast("OwnerKind", kind), namespace, name, ""))
    return found


def _wait_for_it(argv: Sequence[str], deadline: float) -> int | None:
    """Wait for a `helm rollback` to the same revision that is under way on this machine; its pid if it does not end."""
    while (pid := still_running(argv)) is not None and time.monotonic() < deadline - 1:
        time.sleep(_LOOK)
    return pid
