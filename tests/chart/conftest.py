"""The chart, rendered by the Helm versions it is for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.components import require
from tests.waiting import within

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "watchdog"
SIDECAR = ROOT / "helm" / "examples" / "sidecar"
PROGRAMS = ROOT / ".cache" / "go" / "bin"
"""What scripts/build-cluster builds."""

Objects = list[dict[str, Any]]


def run_helm(version: int, *args: str) -> subprocess.CompletedProcess[str]:
    """Helm 3 or 4, without any cluster."""
    argv = [PROGRAMS / f"helm{version}", *args]
    return subprocess.run(argv, capture_output=True, text=True, timeout=within(60), check=False)


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Each of the two."""
    require(f"helm{request.param} (scripts/build-cluster)", (PROGRAMS / f"helm{request.param}").exists())
    return lambda *args: run_helm(request.param, *args)


@pytest.fixture
def rendered(tmp_path: Path) -> Callable[..., Objects]:
    """What `helm install watchdog ./helm/watchdog -n staging -f VALUES` would make."""
    require("helm4 (scripts/build-cluster)", (PROGRAMS / "helm4").exists())

    def rendered(values: Mapping[str, Any] | None = None, chart: Path = CHART) -> Objects:
        done = run_helm(4, *template_words(values or {}, tmp_path, chart))
        assert done.returncode == 0, done.stderr
        return [thing for thing in YAML(typ="safe", pure=True).load_all(done.stdout) if thing]

    return rendered


def template_words(values: Mapping[str, Any], folder: Path, chart: Path = CHART) -> tuple[str, ...]:
    """`helm template` with these values."""
    file = folder / "values.yaml"
    with file.open("w") as stream:
        YAML().dump(dict(values), stream)
    return ("template", "watchdog", str(chart), "-n", "staging", "--kube-version", "1.34.0", "-f", str(file))


def one(things: Objects, kind: str, name: str = "") -> dict[str, Any]:
    """The only object of a kind."""
    found = [thing for thing in things if thing["kind"] == kind and name in ("", thing["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} {kind} {name}"
    return found[0]
