"""What the tests against real things share: a Docker engine for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components import require
from tests.real.docker_engine import DockerEngine, Project, missing
from tests.real.watchdog_image import HELM, TAG, archive
from tests.waiting import within


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
    docker_engine.docker("load", "-i", str(archive()), timeout=within(60))
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
