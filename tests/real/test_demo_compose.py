"""`watchdog demo --platform compose`, as a person would run it, on a real engine."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.demo.performing import demo, wait_for_words
from tests.real.docker_engine import DockerEngine
from tests.real.python_image import python_image
from tests.waiting import within

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def image(docker_engine: DockerEngine) -> str:
    return python_image(docker_engine, "demo-python:3")


@pytest.fixture
def surroundings(docker_engine: DockerEngine, image: str, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a demo; afterwards nothing of it may be left."""
    yield {**docker_engine.environment, "DEMO_IMAGE": image}
    assert list(tmp_path.iterdir()) == []
    assert leftovers(docker_engine) == []


def leftovers(engine: DockerEngine) -> list[str]:
    """Names of containers and networks that a demo made."""
    containers = [c["Names"][0] for c in engine.client.api.containers(all=True)]
    kept = [c["Id"] for c in engine.client.api.containers(all=True, filters={"label": "deploy-watchdog.keep"})]
    networks = [n["Name"] for n in engine.client.api.networks()]
    return [name for name in (*containers, *networks) if "shop-demo-" in name] + kept


@pytest.mark.parametrize("fault", ["errors", "crash"])
def test_a_fault_is_rolled_back(tmp_path: Path, surroundings: Mapping[str, str], fault: str):
    with demo("--platform", "compose", "--fault", fault, "--json", tmp=tmp_path, env=surroundings) as process:
        out, _ = process.communicate(timeout=within(60))
    told = json.loads(out)
    assert (process.returncode, told["ok"]) == (0, True), told["reason"]
    assert told["incident"]["incident"]["state"] == "recovered"
    assert told["seconds"] < within(60)
    assert told["incident"]["evidence"]


@pytest.mark.parametrize("moment", ["starting v1", "deploying v2", "rolling shop"])
def test_ctrl_c_takes_every_container_away(tmp_path: Path, surroundings: Mapping[str, str], moment: str):
    with demo("--platform", "compose", "--fault", "crash", tmp=tmp_path, env=surroundings) as process:
        wait_for_words(process, moment)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=within(60))
    assert process.returncode == 130, out


def test_no_engine(tmp_path: Path, surroundings: Mapping[str, str]):
    nobody = {**surroundings, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    with demo("--platform", "compose", "--json", tmp=tmp_path, env=nobody) as process:
        out, _ = process.communicate(timeout=within(60))
    assert process.returncode == 3
    assert "needs a Docker engine" in json.loads(out)["reason"]
