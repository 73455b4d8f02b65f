"""What a daemon needs in a cluster of thousands of Helm releases, all guarded by one pattern.

The releases are Secrets as Helm writes them, with a small body that unpacks; nothing runs. Each is in its first
revision: a daemon that starts within a day of a release's upgrade also reads the body, once.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from bench.daemons import daemon_of, write_config
from bench.processes import cpu_shares, resident_mb, wait_until
from bench.report import Baseline, Result, Row
from tests.real.cluster.cluster import Cluster
from watchdog.kubernetes.client import Cluster as Api
from watchdog.kubernetes.paths import CORE, path
from watchdog.kubernetes.releases import object_name
from watchdog.store import open_store

SIZES = (1_000, 10_000)
MEMORY_MB = 150
THREADS = 8
NAMESPACES = 20
SEEN_SECONDS = 240
WINDOWS, WINDOW_SECONDS = 3, 4.0


def measure(cluster: Cluster, directory: Path, against: Baseline) -> Iterator[Row]:
    """Memory, and processor time when nothing happens, for each size; the releases grow from one to the next."""
    made = 0
    few: Baseline | None = None
    for size in SIZES:
        make(cluster, made, size)
        made = size
        memory, shares = _daemon(cluster, directory / f"releases-{size}", size)
        what = f"idle daemon, {size:,} Helm releases"
        yield Result(f"{what}, memory", "MB", (memory,), aim=MEMORY_MB, baseline=against)
        yield Result(f"{what}, processor", "% of a core", shares, baseline=few)
        few = Baseline(f"with {size:,} releases", median(shares))


def make(cluster: Cluster, first: int, end: int) -> None:
    """Releases number `first` to `end`, spread over namespaces."""
    api = Api(str(cluster.kubeconfig))
    try:
        if first == 0:
            for number in range(NAMESPACES):
                api.post(path(CORE, "namespaces"), {"metadata": {"name": _namespace(number)}})
        with ThreadPoolExecutor(THREADS) as threads:
            posted = [
                threads.submit(api.post, path(CORE, "secrets", _namespace(number)), secret(_name(number)))
                for number in range(first, end)
            ]
            for one in posted:
                one.result()
    finally:
        api.close()


def secret(name: str) -> dict[str, Any]:
    """A release's first revision, as Helm keeps it."""
    chart = {"metadata": {"name": "bench", "version": "1.0.0"}}
    info = {"status": "deployed", "description": "Install complete"}
    body = {"name": name, "version": 1, "info": info, "chart": chart, "manifest": ""}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()
    labels = {"owner": "helm", "name": name, "version": "1", "status": "deployed", "modifiedAt": "1795629374"}
    metadata = {"name": object_name(name, 1), "labels": labels}
    return {"type": "helm.sh/release.v1", "metadata": metadata, "data": {"release": packed}}


def _daemon(cluster: Cluster, directory: Path, size: int) -> tuple[float, tuple[float, ...]]:
    """Memory in MB, and the share of a core in percent, once it has seen every release."""
    directory.mkdir()
    place = {"namespace": "*", "release": "*", "helm": "helm3", "kubeconfig": str(cluster.kubeconfig)}
    config = write_config(directory, {"name": "bench", "helm": place, "rules": ["crash"]})
    with daemon_of(config, cluster.environment) as daemon:
        _until_seen(config, size)
        cpu_shares([daemon], windows=1, seconds=3)
        (shares,) = cpu_shares([daemon], WINDOWS, WINDOW_SECONDS)
        return resident_mb(daemon), shares


def _until_seen(config: Path, size: int) -> None:
    """Wait until the daemon has stored what it saw of every release."""
    waiting = [f"bench.{_namespace(number)}.{_name(number)}" for number in range(size)]

    def seen() -> bool:
        with closing(open_store(f"sqlite:///{config.parent / 'state.db'}")) as store:
            while waiting and store.bookmark(waiting[-1]) is not None:
                waiting.pop()
        return not waiting

    wait_until(seen, f"the daemon to see {size:,} releases", SEEN_SECONDS, every=1)


def _name(number: int) -> str:
    return f"r{number:05}"


def _namespace(number: int) -> str:
    return f"many-{number % NAMESPACES:02}"
