"""How often a daemon asks the API server, by the API server's own count.

The daemon has a ServiceAccount of its own, and a FlowSchema that matches only that one: then
`apiserver_flowcontrol_dispatched_requests_total` of that schema counts its requests, an opened watch as one, and nobody
else's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.daemons import bookmarked, daemon_of, watches, write_config
from bench.processes import wait_until
from bench.report import Result, Row, Skipped
from tests.real.cluster.cluster import Cluster, missing
from tests.real.cluster.guarded import deploy
from watchdog.model.watch import WatchState

NAME = "bench-daemon"
COUNTER = "apiserver_flowcontrol_dispatched_requests_total"
READY_SECONDS = 60
WATCH_SECONDS = 60
"""Some twelve looks: in a shorter window one more or less would count for much."""
IDLE_SECONDS = 21 * 60
"""Twice as long as the longest time between two things that an idle daemon does."""


def measure(cluster: Cluster, directory: Path) -> Iterator[Row]:
    """Requests a minute while one release with one Deployment of one pod is watched as by default; and before that."""
    with _guarded(cluster, directory / "requests", {"rules": ["crash"]}) as (namespace, config):
        before = count(cluster)
        deploy(cluster, namespace, "note=two")
        wait_until(lambda: _watching(config), "the deploy to settle", READY_SECONDS)
        opening = count(cluster) - before
        rate = _rate(cluster, WATCH_SECONDS)
    yield Result("API requests while a Helm deploy arrives, each", "requests", (opening,))
    yield Result("API requests of a watch (every 5 s), per minute", "requests", (rate * 60,))


def measure_idle(directory: Path) -> Iterator[Row]:
    """Requests of a daemon whose releases nobody deploys, over 21 minutes, for an hour: by a name, and by a pattern."""
    name = "API requests of an idle daemon, per hour"
    if lacking := missing():
        yield Skipped(name, lacking)
        return
    cluster = Cluster()
    try:
        cluster.start()
        with _guarded(cluster, directory / "idle-requests", {"rules": ["crash"]}):
            rate = _rate(cluster, IDLE_SECONDS)
    finally:
        cluster.remove()
    yield Result(name, "requests", (rate * 3600,))


def count(cluster: Cluster) -> float:
    """The daemon's requests so far."""
    return counted(cluster.kubectl("get", "--raw", "/metrics"))


def counted(metrics: str) -> float:
    """The daemon's requests in what the API server says at /metrics."""
    found = re.findall(rf'^{COUNTER}\{{[^}}]*flow_schema="{NAME}"[^}}]*\}} (\S+)$', metrics, re.MULTILINE)
    return sum(map(float, found))


def _rate(cluster: Cluster, seconds: float) -> float:
    """Requests a second, in the time from now on."""
    before, began = count(cluster), time.monotonic()
    time.sleep(seconds)
    return (count(cluster) - before) / (time.monotonic() - began)


@contextmanager
def _guarded(cluster: Cluster, directory: Path, fields: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """A daemon that guards one release with a ServiceAccount's rights and has seen it; its namespace and config."""
    directory.mkdir()
    with cluster.namespace() as namespace:
        deploy(cluster, namespace, wait=True)
        for thing in _user(namespace):
            cluster.apply(thing, namespace)
        kubeconfig = cluster.service_account_kubeconfig(namespace, NAME)
        spec = {"release": "app", "namespace": namespace, "helm": "helm3", "kubeconfig": str(kubeconfig)}
        config = write_config(directory, {"name": "bench", "helm": spec, **fields})
        with daemon_of(config, cluster.environment):
            wait_until(lambda: bookmarked(config), "the daemon to see the release", READY_SECONDS)
            time.sleep(3)  # starting is not idling
            if count(cluster) == 0:
                raise RuntimeError(f"the API server counts no request of {NAME}")
            yield namespace, config


def _watching(config: Path) -> bool:
    return any(watch.state is WatchState.watching for watch in watches(config))


def _user(namespace: str) -> list[dict[str, Any]]:
    """A ServiceAccount that may read everything, and the FlowSchema by which its requests are counted."""
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    matched = {"kind": "ServiceAccount", "serviceAccount": {"name": NAME, "namespace": namespace}}
    others = {"verbs": ["*"], "nonResourceURLs": ["*"]}
    rule = {"subjects": [matched], "resourceRules": [everything], "nonResourceRules": [others]}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "subjects": [subject],
            "roleRef": role,
        },
        {
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
            "kind": "FlowSchema",
            "metadata": {"name": NAME},
            "spec": {
                "matchingPrecedence": 500,
                "priorityLevelConfiguration": {"name": "workload-low"},
                "distinguisherMethod": {"type": "ByUser"},
                "rules": [rule],
            },
        },
    ]
