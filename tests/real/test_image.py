"""The project's own image: built by the Dockerfile on bases made here, small, without root, complete."""

from __future__ import annotations

import pytest

from tests.real.docker_engine import DockerEngine
from tests.real.watchdog_image import TAG

pytestmark = pytest.mark.docker

OURS = 455_000_000
"""Bytes beside the base: Helm 67 MB, Compose 77, numpy 75, scipy.special 50, CEL 52, the Kubernetes client 29, …"""


def inside(engine: DockerEngine, program: str, *args: str) -> str:
    """What a program of the image prints, in a container such as the chart's: no root, nothing to write to."""
    limits = ("--rm", "--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    return engine.docker("run", *limits, f"--entrypoint={program}", TAG, *args).strip()


def test_it_holds_the_pinned_programs(docker_engine: DockerEngine, watchdog_image: str):
    assert inside(docker_engine, "watchdog", "--version").endswith("0.1.0")
    assert inside(docker_engine, "helm", "version", "--short").startswith("v4.3")
    assert inside(docker_engine, "docker-compose", "version", "--short") == "2.40.3"


def test_it_is_not_root(docker_engine: DockerEngine, watchdog_image: str):
    look = "import os; s = os.stat('/var/lib/watchdog'); print(os.getuid(), os.getgid(), s.st_uid, s.st_gid)"
    assert inside(docker_engine, "python", "-c", look) == "65532 65532 65532 65532"


EVERY_MODULE = """
import importlib, pkgutil, watchdog
names = [m.name for m in pkgutil.walk_packages(watchdog.__path__, "watchdog.") if not m.name.endswith("__main__")]
for name in [*names, "psycopg", "sqlite3", "ssl", "kubernetes.client", "numpy", "scipy.special"]:
    importlib.import_module(name)
print(len(names) > 100)
"""


def test_every_module_has_what_it_imports(docker_engine: DockerEngine, watchdog_image: str):
    assert inside(docker_engine, "python", "-c", EVERY_MODULE) == "True"


def test_it_compares_numbers(docker_engine: DockerEngine, watchdog_image: str):
    """What native code is left of scipy, run."""
    used = "from scipy.special import betaincinv, gammaincinv, ndtr, ndtri, xlogy"
    count = "print(round(ndtri(ndtr(1.5)) + xlogy(2, 1) + betaincinv(1, 1, .5) + gammaincinv(1, .5), 3))"
    assert inside(docker_engine, "python", "-c", f"{used}; {count}") == "2.693"


def test_it_is_small(docker_engine: DockerEngine, watchdog_image: str):
    """Only what is run: no compiler, no pip, no tests."""
    layers = docker_engine.client.api.history(watchdog_image)
    assert sum(layer["Size"] for layer in layers if "COPY" in layer["CreatedBy"]) < OURS
    assert inside(docker_engine, "python", "-c", "import importlib.util as i; print(i.find_spec('pip'))") == "None"
