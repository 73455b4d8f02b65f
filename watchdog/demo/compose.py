"""The compose stage: the same service as a container of a Compose project of its own, where a Docker engine answers.

Nothing is built: the service's one file is mounted into any image with Python 3. The container ends by itself after
some minutes, so that even a demo that was killed leaves nothing running.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import ImageNotFound, NotFound

from watchdog.act.compose.images import KEEP
from watchdog.compose.cli import program
from watchdog.compose.engine import connect, host_of, translated
from watchdog.demo import Fault, service
from watchdog.demo.config import SERVICE
from watchdog.demo.proof import serves
from watchdog.demo.stage import BAD, GOOD, NoStage, StageFailed, Stopped, free_port, wait_for
from watchdog.errors import Refused, Unavailable
from watchdog.subprocesses import Completed, minimal_environment, run

IMAGE = "python:3-slim"
PULL_WITHIN = timedelta(minutes=5)
UP_WITHIN = timedelta(seconds=40)
LIFETIME = 600
"""Seconds after which a container ends by itself, with exit code 0: `on-failure` then leaves it ended."""
INSIDE = 8000

COMPOSE_FILE = """\
services:
  {service}:
    image: {image}
    command: [python3, /service.py, --host, "{host}", --port, "{inside}", --lifetime, "{lifetime}"]
    environment:
      API_VERSION: ${{API_VERSION:?}}
      FAULT: ${{FAULT:-none}}
    volumes: ["./service.py:/service.py:ro"]
    restart: on-failure
    stop_grace_period: 2s
    {network}
"""


class ComposeStage:
    """A Compose project of one service."""

    kind = "compose"

    def __init__(self, folder: Path, fault: Fault, image: str | None) -> None:
        self.port = free_port()
        self._folder = folder / "project"
        self._folder.mkdir()
        self._file = self._folder / "docker-compose.yml"
        self._fault = fault
        self._image = image or os.environ.get("DEMO_IMAGE") or IMAGE
        # Nobody else's: what the engine keeps of a target (images, by its name) must not touch a real one's.
        self.name = f"{SERVICE}-demo-{secrets.token_hex(3)}"
        self._up = False

    def target(self) -> dict[str, Any]:
        """The project."""
        return {"project": self.name, "files": [self._file.name], "directory": str(self._folder)}

    def start(self, cancel: threading.Event) -> None:
        """Find the engine and the image, write the project, and bring the good version up."""
        try:
            program()
            client = connect(host_of(None))
        except (Unavailable, Refused) as missing:
            raise NoStage(f"--platform compose needs a Docker engine and `docker compose`: {missing}") from missing
        with contextlib.closing(client):
            self._write(client)
            if not _has_image(client, self._image):
                self._pull(cancel)
        self._deployed(GOOD, Fault.none, cancel)
        wait_for(lambda: serves(self.port, GOOD), f"{GOOD} to serve", cancel, self._logs)

    def deploy(self, cancel: threading.Event) -> None:
        """`API_VERSION=v2 FAULT=… docker compose up -d`."""
        self._deployed(BAD, self._fault, cancel)

    def close(self) -> None:
        """Take the project down, with everything that carries its label."""
        if not self._up:
            return
        self._compose("down", "--volumes", "--remove-orphans", "--timeout", "1", within=UP_WITHIN)
        with contextlib.suppress(Unavailable, Refused), contextlib.closing(connect(host_of(None))) as client:
            _remove_kept(client, self.name)
        self._up = False

    def _write(self, client: APIClient) -> None:
        shutil.copyfile(service.__file__, self._folder / "service.py")
        (self._folder / "service.py").chmod(0o644)  # whoever the image runs as may read it
        with translated("reading the engine's networks"):
            bridged = bool(client.networks(names=["bridge"]))
        # An engine without a bridge can't publish ports; its containers share the machine's network.
        network = f'ports: ["127.0.0.1:{self.port}:{INSIDE}"]' if bridged else "network_mode: host"
        text = COMPOSE_FILE.format(
            service=SERVICE,
            image=self._image,
            host="0.0.0.0" if bridged else "127.0.0.1",  # noqa: S104 -- inside its container
            inside=INSIDE if bridged else self.port,
            lifetime=LIFETIME,
            network=network,
        )
        self._file.write_text(text, encoding="utf-8")

    def _pull(self, cancel: threading.Event) -> None:
        done = self._compose("pull", "--quiet", within=PULL_WITHIN, cancel=cancel)
        if cancel.is_set():
            raise Stopped
        if not done.ok:
            raise NoStage(
                f"the image {self._image} is not here and could not be pulled ({done.last_words or done.outcome}); "
                "name one with Python 3 by --image or DEMO_IMAGE"
            )

    def _deployed(self, version: str, fault: Fault, cancel: threading.Event) -> None:
        self._up = True
        # Not cancelled: what a killed `up` had asked of the engine would still come, after everything was taken away.
        done = self._compose("up", "-d", version=version, fault=fault, within=UP_WITHIN)
        if cancel.is_set():
            raise Stopped
        if not done.ok:
            raise StageFailed(f"`docker compose up -d` of {version} {done.outcome}: {done.last_words}")

    def _logs(self) -> str:
        return self._compose("logs", "--tail", "40", "--no-color", within=timedelta(seconds=10)).out[-2000:]

    def _compose(
        self,
        *words: str,
        within: timedelta,
        version: str = GOOD,
        fault: Fault = Fault.none,
        cancel: threading.Event | None = None,
    ) -> Completed:
        place = ("-p", self.name, "--project-directory", str(self._folder), "-f", str(self._file))
        env = minimal_environment() | {"COMPOSE_ANSI": "never", "API_VERSION": version, "FAULT": fault.value}
        env.pop("DOCKER_CONTEXT", None)
        env["DOCKER_HOST"] = host_of(None)
        return run((*program()[0], *place, *words), timeout=within, env=env, cancel=cancel, cwd=self._folder)


def _has_image(client: APIClient, image: str) -> bool:
    with translated(f"looking for the image {image}"), contextlib.suppress(ImageNotFound):
        client.inspect_image(image)  # type: ignore[no-untyped-call]
        return True
    return False


def _remove_kept(client: APIClient, target: str) -> None:
    """What `down` does not know: the containers that keep the images of old revisions."""
    with translated("removing the demo's containers"):
        for container in client.containers(all=True, filters={"label": f"{KEEP}={target}"}):
            with contextlib.suppress(NotFound):
                client.remove_container(container["Id"], force=True, v=True)
