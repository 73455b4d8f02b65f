"""A daemon that guards releases of the tests' cluster, a Prometheus that scrapes its pods, and their users."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.real.cluster.cluster import CHART, Cluster
from tests.real.daemon import WATCH, Daemon
from tests.waiting import within

QUICK = {
    "watch": WATCH,
    "rollback": {
        "verify_for": "3s",
        "verify_timeout": "10m",
        "first_known_good": "running",
        "cooldown": "0s",
        "timeout": "5m",
    },
}
NEVER_READY = {"rollout_timeout": "20s"}
"""For a version that is not to become ready."""

SCRAPES = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: service
    file_sd_configs: [{files: [pods.json]}]
"""
"""A prometheus.yml: Debian's Prometheus knows no Kubernetes, so `Pods` tells it where they are."""


class Pods:
    """Writes the pods of a namespace into a Prometheus' pods.json as they come and go, until it is closed."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self._cluster, self._namespace, self._file = cluster, namespace, folder / "pods.json"
        self._ended = threading.Event()
        self._file.write_text("[]")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(within(20))

    def _run(self) -> None:
        for _ in range(1200):
            if self._ended.wait(0.5):
                return
            found = [p for p in self._cluster.pods(self._namespace) if p["status"].get("podIP")]
            targets = [
                {
                    "targets": [f"{pod['status']['podIP']}:8080"],
                    "labels": {"pod": pod["metadata"]["name"], "namespace": self._namespace},
                }
                for pod in found
            ]
            unfinished = self._file.with_suffix(".part")
            unfinished.write_text(json.dumps(targets))
            unfinished.replace(self._file)


def guarding(
    cluster: Cluster,
    namespace: str,
    folder: Path,
    *,
    helm: int = 3,
    config: Mapping[str, Any] | None = None,
    **target: Any,
) -> Daemon:
    """A daemon whose target `app` is the release `app`, with short times; `target` adds to it or replaces."""
    spec = {"release": "app", "namespace": namespace, "helm": f"helm{helm}", "kubeconfig": str(cluster.kubeconfig)}
    app: dict[str, Any] = {"name": "app", "environment": "staging", "helm": spec | target.pop("helm_spec", {})}
    for key in ("watch", "rollback"):
        app[key] = {**QUICK[key], **target.pop(key, {})}
    app |= {"rules": ["crash", {"pack": "health", "except": ["health-up"]}], **target}
    return Daemon(folder, {**(config or {}), "targets": [app]}, cluster.environment, target=str(app["name"]))


def deploy(
    cluster: Cluster, namespace: str, *values: str, helm: int = 3, release: str = "app", wait: bool = False
) -> None:
    """`helm upgrade --install` with these values; a deploy that fails is what some tests are about."""
    settings = [argument for value in values for argument in ("--set", value)]
    waits = ["--wait", "--timeout", "10m"] if wait else []
    cluster.helm(helm, "upgrade", "--install", release, str(CHART), "-n", namespace, *settings, *waits, check=wait)


class Users:
    """Some twenty requests a second on a service of the cluster, until they are closed; at most for ten minutes."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(within(5))

    def _run(self) -> None:
        for _ in range(3000):
            if self._ended.wait(0.2):
                return
            connection = http.client.HTTPConnection(self._address, timeout=within(2))
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                pass  # a service that is down: its users try again
            finally:
                connection.close()
