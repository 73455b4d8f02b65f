"""The chart with two replicas on one real PostgreSQL: one rolls back, once, and when it is gone the other does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.components import require
from tests.postgres import serving
from tests.real import docker_engine as docker
from tests.real.cluster.cluster import Cluster
from tests.real.cluster.guarded import deploy
from tests.real.cluster.test_chart import Installed, pods
from tests.real.docker_engine import free_port
from tests.real.watchdog_image import archive

pytestmark = pytest.mark.docker

TARGET = "all.app"


class Database:
    """The state that the replicas share."""

    def __init__(self, cluster: Cluster, url: str, port: int) -> None:
        self._url = url.replace("/postgres?", "/watchdog?")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE ROLE watchdog LOGIN PASSWORD 'to-be-kept'")
            connection.execute("CREATE DATABASE watchdog OWNER watchdog")
        self.dsn = f"postgresql://watchdog:to-be-kept@{cluster.host_ip}:{port}/watchdog"

    def owner(self) -> str:
        """The name of the pod that has the claim; empty: none has."""
        with psycopg.connect(self._url) as connection:
            found = connection.execute("SELECT owner FROM watchdog_claims WHERE target = %s", (TARGET,)).fetchone()
        return str(found[0]).partition(":")[0] if found else ""


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """On this machine, where the pods reach it."""
    port = free_port()
    with serving(cluster.host_ip, port, network="10.0.0.0/8") as server:
        yield Database(cluster, server.url, port)


@pytest.fixture
def installed(cluster: Cluster, namespace: str, database: Database, tmp_path: Path) -> Iterator[Installed]:
    """Two replicas; not installed yet."""
    lacking = docker.missing()
    require(f"a Docker engine of the tests' own ({lacking or 'all there'})", not lacking)
    cluster.load_image(archive())
    cluster.kubectl("create", "secret", "generic", "state", "-n", namespace, f"--from-literal=dsn={database.dsn}")
    made = Installed(cluster, namespace, tmp_path)
    made.values["replicas"] = 2
    made.values["state"] = {"postgresql": {"existingSecret": "state"}}
    try:
        yield made
    finally:
        cluster.helm(4, "uninstall", "watchdog", "-n", namespace, check=False)
        cluster.kubectl("delete", "pv", namespace, "--wait=false", check=False)


def story(installed: Installed) -> dict[str, Any]:
    """The latest watch, told by whichever replica."""
    text = installed.watchdog("explain", "last", "--output", "json", check=False)
    return json.loads(text) if text.startswith("{") else {}


def until_recovered(installed: Installed, bad: str, good: str) -> None:
    """Revision `bad` is rolled back, and `good` is what that makes."""
    installed.until(lambda: installed.history().get(good) == "deployed", f"revision {good}, a rollback", 120)
    installed.until(
        lambda: (story(installed).get("incident") or {}).get("state") == "recovered", f"the recovery from {bad}", 90
    )
    told = story(installed)
    assert told["plan"]["from_revision"] == bad
    assert [line["kind"] for line in told["timeline"]].count("rollback.started") == 1
    assert told["rollback"]["attempts"] == 1
    assert max(installed.history(), key=int) == good, "rolled back once"


def test_one_acts_once_and_the_other_takes_over(installed: Installed, database: Database):
    cluster, namespace = installed.cluster, installed.namespace
    deploy(cluster, namespace, helm=3, wait=True)
    installed.helm(3, "install")
    running = {pod["metadata"]["name"] for pod in pods(installed)}
    assert len(running) == 2
    installed.until(lambda: installed.target().get("revision") == "1", "the watchdog to know revision 1")

    deploy(cluster, namespace, "fault=crash", helm=3)
    until_recovered(installed, "2", "3")
    owner = database.owner()
    assert owner in running

    cluster.kubectl("delete", "pod", owner, "-n", namespace, "--wait=false")
    deploy(cluster, namespace, "fault=crash", "note=four", helm=3)
    until_recovered(installed, "4", "5")
    (other,) = running - {owner}
    assert database.owner() == other, "the one that stood by has taken over"
    for name in running - {owner}:
        assert "to-be-kept" not in cluster.kubectl("logs", name, "-n", namespace)
