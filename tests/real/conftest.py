"""What the tests against real things share: a Docker engine for all tests of a process.

Side by side (`-n 2 --dist loadgroup`) one process has the cluster's tests and another the rest, file by file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components import require
from tests.real.docker_engine import DockerEngine, Project, missing
from tests.real.watchdog_image import HELM, TAG, archive

FOLDER = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One group for all tests of the cluster, which they share, and one for each other file."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            name = item.path.relative_to(FOLDER).parts[0]
            item.add_marker(pytest.mark.xdist_group(name))
        else:
            item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A Docker engine of the tests' own, with `docker compose`."""
    lacking = missing()
    require(f"a Docker engine of the tests' own ({lacking or 'all there'})", not lacking)
    engine = DockerEngine()
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()


@pytest.fixture(scope="session")
def watchdog_image(docker_engine: DockerEngine) -> str:
    """The tag of the project's own image, in the tests' engine. Building it takes some minutes, once."""
    require("helm4 (scripts/build-cluster)", HELM.exists())
    docker_engine.docker("load", "-i", str(archive()), timeout=300)
    return TAG


@pytest.fixture
def project(docker_engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A Compose project that is not up yet. The test's own environment finds the engine, as a daemon's would."""
    for name in ("DOCKER_HOST", "DOCKER_CONFIG"):
        monkeypatch.setenv(name, docker_engine.environment[name])
    project = Project(docker_engine, tmp_path)
    try:
        yield project
    finally:
        project.down()
