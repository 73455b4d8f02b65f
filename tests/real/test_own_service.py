"""The watchdog as a service of the very project it guards."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.daemon import PROGRAM, Daemon, guarding
from tests.real.docker_engine import Project
from tests.real.watchdog_image import TAG
from watchdog.model.watch import WatchState

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parent.parent.parent


def service(project: Project, daemon: Daemon) -> str:
    """A service that runs this checkout in a container: the machine's own Python, mounted where it is."""
    # What Python needs, at the paths it has here; the engine's socket; the project; the watchdog's own folder.
    read_only = ["/usr", "/lib", "/lib64", "/bin", "/etc", sys.base_prefix, str(Path(sys.prefix).parent), str(ROOT)]
    paths = dict.fromkeys([*read_only, str(project.engine.root), str(project.directory)])
    mounts = [f'"{path}:{path}:ro"' for path in paths if Path(path).exists()]
    mounts.append(f'"{daemon.folder}:{daemon.folder}"')
    environment = "\n".join(f'      {name}: "{value}"' for name, value in daemon.environment.items())
    return f"""\
  watchdog:
    image: {project.name}-api:1
    restart: always
    network_mode: host
    command: ["{PROGRAM}", "run", "-c", "{daemon.config}"]
    environment:
{environment}
      RELEASE: ${{RELEASE:-1}}
    volumes: [{", ".join(mounts)}]
volumes:
  state: {{}}
"""


def from_image(project: Project, daemon: Daemon) -> str:
    """The same as docs/operations.md has it: the project's own image, the socket, the folders at their paths."""
    paths = (project.engine.root, project.directory, daemon.folder)
    return f"""\
  watchdog:
    image: {TAG}
    user: "0"
    restart: always
    network_mode: host
    command: ["run", "-c", "{daemon.config}"]
    environment:
      DOCKER_HOST: {project.engine.host}
      RELEASE: ${{RELEASE:-1}}
    volumes: [{", ".join(f'"{path}:{path}"' for path in paths)}]
volumes:
  state: {{}}
"""


@pytest.mark.parametrize("made", [service, from_image])
def test_it_rolls_the_others_back_and_never_recreates_itself(
    project: Project, made: Callable[[Project, Daemon], str], request: pytest.FixtureRequest, tmp_path_factory
):
    if made is from_image:
        request.getfixturevalue("watchdog_image")
    daemon = guarding(project, tmp_path_factory.mktemp("watchdog"), {}, rules=["crash"])
    try:
        project.edit("volumes:\n  state: {}\n", made(project, daemon))
        project.up()
        try:
            daemon.until(lambda: daemon.store.bookmark("shop") is not None, "the daemon to see its own project", 120)
        except AssertionError as error:
            said = project.compose("logs", "--no-color", "watchdog", check=False)
            pytest.fail(f"{error}\n{project.container('watchdog')['State']}\n{said}")
        daemon.recorded()
        # The bad deploy brings a new watchdog too: it starts in the middle of the deploy, and must see it.
        project.image("api", "2", "crash")
        project.up(API_IMAGE=f"{project.name}-api:2", RELEASE="2", check=False)
        own = project.container("watchdog")["Id"]
        daemon.until_state(WatchState.recovered, seconds=90)
        project.wait_for("1")
        assert project.running()["api"] == project.images["api:1"]
        assert project.container("watchdog")["Id"] == own
        assert project.container("watchdog")["RestartCount"] == 0
    finally:
        daemon.close()
