"""On a Kubernetes cluster of its own: from a crash-looping `helm upgrade` to ready pods of the version before.

What Kubernetes and Helm need is measured first, without a watchdog: the same upgrade, and `helm rollback --wait` by
hand in the moment the second container has crashed. Then the same under guard, the API requests, and the memory with
thousands of releases.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import api_requests, releases
from bench.beside import Beside, beside
from bench.daemons import MEMORY_MB, bookmarked, daemon_of, watches, write_config
from bench.processes import resident_mb, wait_until
from bench.report import Baseline, Result, Row, Skipped
from tests.real.cluster.cluster import Cluster, missing
from tests.real.cluster.guarded import deploy
from watchdog.model.rollback import Rollback
from watchdog.model.watch import Watch, WatchState
from watchdog.store import open_store

HELM = 4
RUNS = 3
STARTED_SECONDS = 2
SEEN_SECONDS = 1
LIMIT_SECONDS = 90


@dataclass(frozen=True)
class ByHand:
    """The same upgrade without a watchdog. Times in seconds."""

    ready: float
    """From calling `helm upgrade` to a ready pod of the old version."""
    crashed: float
    """From calling `helm upgrade` to the second crash."""
    brought_back: float
    """What `helm rollback --wait` took."""


@dataclass(frozen=True)
class Recovery:
    """One upgrade to a crashing version under guard. Times in seconds, memory in MB."""

    ready: float
    """From calling `helm upgrade` to a ready pod of the old version."""
    crashed: float
    """From calling `helm upgrade` to the second crash."""
    seen: float
    """From the release Secret to the watch's opening."""
    told: float
    """From the second crash to the API server's telling: nobody who asks Kubernetes can know before."""
    decided: float
    """From the second crash to the stored decision to roll back."""
    started: float
    """From the second crash to the start of the rollback."""
    acted: float
    """The act itself: mostly `helm rollback --wait`."""
    memory: float


def measure(directory: Path) -> Iterator[Row]:
    """All that needs a cluster; one line that says what is missing where it can't be had."""
    lacking = missing()
    if lacking:
        yield Skipped("crash-looping `helm upgrade` to ready again", lacking)
        return
    place = directory / "kubernetes"
    place.mkdir()
    with cluster_of_its_own() as cluster:
        with cluster.namespace() as namespace:
            deploy(cluster, namespace, "maxUnavailable=1", helm=HELM, wait=True)
            by_hand = [_by_hand(cluster, namespace, place, f"hand{n}") for n in range(RUNS)]
            config = write_config(place, _target(cluster, namespace))
            with daemon_of(config, cluster.environment) as daemon:
                wait_until(lambda: bookmarked(config), "the daemon to see the release", LIMIT_SECONDS)
                idle = resident_mb(daemon)
                recoveries = [_guarded(cluster, namespace, config, daemon, f"bad{n}") for n in range(RUNS)]
        yield from _rows(by_hand, recoveries)
        yield Result("idle daemon of a Helm release, memory", "MB", (idle,), aim=MEMORY_MB)
        memory = tuple(recovery.memory for recovery in recoveries)
        against = Baseline("the same daemon, idle", idle)
        yield Result("the same after a Helm rollback, memory", "MB", memory, aim=MEMORY_MB, baseline=against)
        yield from api_requests.measure(cluster, place)
        yield from releases.measure(cluster, place, Baseline("the daemon of one release", idle))


@contextmanager
def cluster_of_its_own() -> Iterator[Cluster]:
    """A node that is Ready; nothing of it is left afterwards."""
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def _rows(by_hand: list[ByHand], recoveries: list[Recovery]) -> Iterator[Row]:
    hand = median(h.ready for h in by_hand)
    against = Baseline("by hand, at the second crash", hand)
    yield _row("crash-looping `helm upgrade` to ready old pods", (r.ready for r in recoveries), baseline=against)
    yield _row("the same by hand (`helm rollback`), no watchdog", (h.ready for h in by_hand))
    against = Baseline("without a watchdog", median(h.crashed for h in by_hand))
    yield _row("`helm upgrade` to the second crash", (r.crashed for r in recoveries), baseline=against)
    against = Baseline("until the API server tells of it", median(r.told for r in recoveries))
    started = (r.started for r in recoveries)
    yield _row("second crash to the rollback's start", started, aim=STARTED_SECONDS, baseline=against)
    yield _row("of which to the decision", (r.decided for r in recoveries), baseline=against)
    against = Baseline("by hand", median(h.brought_back for h in by_hand))
    yield _row("the act (`helm rollback --wait`)", (r.acted for r in recoveries), baseline=against)
    yield _row("release Secret of a deploy to open watch", (r.seen for r in recoveries), aim=SEEN_SECONDS)


def _row(name: str, values: Iterator[float], aim: float | None = None, baseline: Baseline | None = None) -> Result:
    return Result(name, "s", tuple(values), aim=aim, baseline=baseline)


def _by_hand(cluster: Cluster, namespace: str, place: Path, note: str) -> ByHand:
    """What Kubernetes and Helm need: someone with no reaction time at all rolls back."""
    good = _newest(cluster, namespace)
    with beside(cluster, namespace, place) as noted:
        began = time.time()
        deploy(cluster, namespace, "fault=crash", "maxUnavailable=1", f"note={note}", helm=HELM)
        wait_until(lambda: len(noted.crashed) >= 2, "the second crash", LIMIT_SECONDS)
        noticed = time.monotonic()
        cluster.helm(HELM, "rollback", "app", good, "-n", namespace, "--wait", "--timeout", "60s")
        brought_back = time.monotonic() - noticed
        wait_until(lambda: noted.ready, "a ready pod of the old version", LIMIT_SECONDS)
        return ByHand(ready=noted.ready[0] - began, crashed=noted.crashed[1] - began, brought_back=brought_back)


def _guarded(cluster: Cluster, namespace: str, config: Path, daemon: int, note: str) -> Recovery:
    """The same, and nobody rolls back but the watchdog. Ends when the recovery is proved."""
    known = {watch.id for watch in watches(config)}
    with beside(cluster, namespace, config.parent) as noted:
        began = time.time()
        deploy(cluster, namespace, "fault=crash", "maxUnavailable=1", f"note={note}", helm=HELM)

        def ended() -> Watch | None:
            return next((w for w in watches(config) if w.id not in known and not w.state.open), None)

        wait_until(ended, "the watch to end", LIMIT_SECONDS, every=0.2)
        return _recovery(config, ended(), noted, began, resident_mb(daemon))


def _recovery(config: Path, watch: Watch | None, noted: Beside, began: float, memory: float) -> Recovery:
    if watch is None or watch.state is not WatchState.recovered or watch.condemned_at is None:
        raise RuntimeError(f"no recovery, but {watch and watch.state}: {watch and watch.end_reason}")
    rollback = _rollback(config, watch)
    if rollback is None or rollback.result is None:
        raise RuntimeError(f"the recovery of {watch.revision} has no stored rollback")
    crash = noted.crashed[1]
    return Recovery(
        ready=noted.ready[0] - began,
        crashed=crash - began,
        seen=watch.opened_at.timestamp() - noted.releases[0],
        told=noted.told[1] - crash,
        decided=watch.condemned_at.timestamp() - crash,
        started=rollback.started_at.timestamp() - crash,
        acted=rollback.result.took.total_seconds(),
        memory=memory,
    )


def _rollback(config: Path, watch: Watch) -> Rollback | None:
    with closing(open_store(f"sqlite:///{config.parent / 'state.db'}")) as store:
        return store.rollback(watch.plan.id) if watch.plan else None


def _newest(cluster: Cluster, namespace: str) -> str:
    """The release's newest revision."""
    labels = [s["metadata"]["labels"] for s in cluster.get("secrets", "-l", "owner=helm", "-n", namespace)["items"]]
    return str(max(int(label["version"]) for label in labels if label["name"] == "app"))


def _target(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """All as by default, but for a proof that ends soon and for many rollbacks one after the other."""
    place = {"release": "app", "namespace": namespace, "helm": f"helm{HELM}", "kubeconfig": str(cluster.kubeconfig)}
    policy = {"verify_for": "3s", "first_known_good": "running", "cooldown": "0s", "max_per_day": 100}
    return {"name": "bench", "helm": place, "rules": ["crash"], "rollback": policy}
