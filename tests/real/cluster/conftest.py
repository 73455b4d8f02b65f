"""The clusters for the tests of this folder: one for all processes of the run, and one of its own for each process that
has tests which change the whole node (`@pytest.mark.alone`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.components import require
from tests.real.cluster.cluster import Cluster, missing
from tests.real.cluster.sharing import shared


def _require() -> None:
    lacking = missing()
    require(f"a Kubernetes cluster of the tests' own ({lacking or 'all there'})", not lacking)


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A real Kubernetes node, which others use too, in namespaces of their own."""
    _require()
    own = tmp_path_factory.getbasetemp()
    with shared((own.parent if hasattr(request.config, "workerinput") else own) / "cluster") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def start_alone() -> Iterator[Callable[[], Cluster]]:
    """Starts the node that nobody else uses, when it is first asked for."""
    started: list[Cluster] = []

    def start() -> Cluster:
        if not started:
            _require()
            cluster = Cluster()
            try:
                cluster.start()
            except BaseException:
                cluster.remove()
                raise
            started.append(cluster)
        return started[0]

    with ExitStack() as ends:
        ends.callback(lambda: [cluster.remove() for cluster in started])
        yield start


@pytest.fixture
def cluster(request: pytest.FixtureRequest, start_alone: Callable[[], Cluster]) -> Cluster:
    """A real Kubernetes node."""
    if request.node.get_closest_marker("alone"):
        return start_alone()
    found: Cluster = request.getfixturevalue("shared_cluster")
    return found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own."""
    with cluster.namespace() as name:
        yield name
