"""A daemon that guards releases of the tests' cluster, a Prometheus that scrapes its pods, and their users."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.real.cluster.cluster import CHART, Cluster
from tests.real.daemon import Daemon

SHORT = {
    "watch": {
        "bake_time": "8s",
        "initial_delay": "1s",
        "interval": "1s",
        "settle": "1s",
        "rollout_timeout": "12s",
    },
    "rollback": {"verify_for": "3s", "first_known_good": "running", "cooldown": "0s", "timeout": "60s"},
}

_SCRAPES = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: service
    kubernetes_sd_configs: [{{role: pod, kubeconfig_file: "{kubeconfig}", namespaces: {{names: ["{namespace}"]}}}}]
    relabel_configs:
      - {{source_labels: [__meta_kubernetes_pod_container_port_number], regex: "8080", action: keep}}
      - {{source_labels: [__meta_kubernetes_pod_name], target_label: pod}}
      - {{source_labels: [__meta_kubernetes_namespace], target_label: namespace}}
"""


def prometheus_config(cluster: Cluster, namespace: str) -> str:
    """A prometheus.yml that scrapes the pods of a namespace each second."""
    return _SCRAPES.format(kubeconfig=cluster.kubeconfig, namespace=namespace)


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
        app[key] = {**SHORT[key], **target.pop(key, {})}
    app |= {"rules": ["crash", {"pack": "health", "except": ["health-up"]}], **target}
    return Daemon(folder, {**(config or {}), "targets": [app]}, cluster.environment, target=str(app["name"]))


def deploy(
    cluster: Cluster, namespace: str, *values: str, helm: int = 3, release: str = "app", wait: bool = False
) -> None:
    """`helm upgrade --install` with these values; a deploy that fails is what some tests are about."""
    settings = [argument for value in values for argument in ("--set", value)]
    waits = ["--wait", "--timeout", "60s"] if wait else []
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
            thread.join(5)

    def _run(self) -> None:
        for _ in range(3000):
            if self._ended.wait(0.2):
                return
            connection = http.client.HTTPConnection(self._address, timeout=2)
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            except OSError:
                pass  # a service that is down: its users try again
            finally:
                connection.close()
