"""A live service under guard: its process, its programs, and its target in the watchdog's config."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests

from tests.real.docker_engine import free_port
from tests.real.live.behaviour import RATE
from tests.real.live.programs import STATUS
from tests.waiting import within

PROGRAMS = Path(__file__).parent / "programs.py"
ROOT = Path(__file__).parent.parent.parent.parent


class LiveService:
    """One service. `releases`: version → what it is (behaviour.BEHAVIOURS); `rules`: as in the config."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        releases: Mapping[str, str],
        rules: Sequence[Any],
        bake: timedelta,
        seed: int,
        rate: float = RATE,
        earlier: Sequence[float] = (),
        proof: str = "2m",
    ) -> None:
        """`earlier`: how many seconds before the test good deploys were made, of which the watchdog knows. `proof`: how
        long a rollback may take to prove itself."""
        self.name, self.bake, self.seed, self.rate = name, bake, seed, rate
        self.earlier, self.proof = earlier, proof
        self.rules = list(rules)
        self.folder = folder / name
        self.folder.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {"name": name, "port": self.port, "releases": dict(releases), "seed": seed * 1000}
        settings |= {"guardian": os.getpid(), "root": str(ROOT)}
        (self.folder / "service.json").write_text(json.dumps(settings))
        (self.folder / "status.sh").write_text(STATUS)

    def run(self, *args: str) -> None:
        """One of its programs, to the end."""
        done = subprocess.run(
            [*self._argv(), *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within(60),
            check=False,
        )
        assert done.returncode == 0, f"{self.name} {args}: {done.stdout}{done.stderr}"

    @property
    def running(self) -> str:
        """The version that runs."""
        return str(json.loads((self.folder / "status.json").read_text())["revision"])

    @property
    def process(self) -> int:
        return int((self.folder / "pid").read_text())

    def resident(self) -> float:
        """The bytes that the process holds now, as its page says."""
        page = requests.get(f"{self.url}/metrics", timeout=within(5)).text
        (line,) = [line for line in page.splitlines() if line.startswith("process_resident_memory_bytes ")]
        return float(line.split()[1])

    def target(self) -> dict[str, Any]:
        """Its entry in the config, with short times."""
        return {
            "name": self.name,
            "environment": "production",
            "command": {
                "status": ["/bin/sh", "status.sh"],
                "history": [*self._argv(), "history"],
                "rollback": [*self._argv(), "rollback", "{{ revision }}"],
                "logs": ["tail", "-n", "50", "service.log"],
                "directory": str(self.folder),
            },
            "vars": {"job": self.name},
            "rules": deepcopy(self.rules),  # the same object twice would be an anchor in YAML
            "probes": [{"name": "healthz", "http": f"{self.url}/healthz", "timeout": "60s"}],
            "watch": {
                "bake_time": f"{self.bake.total_seconds():g}s",
                "initial_delay": "5s",
                "interval": "3s",
                "settle": "1s",
            },
            "rollback": {"verify_for": "10s", "verify_timeout": self.proof, "first_known_good": "running"},
        }

    def _argv(self) -> list[str]:
        return [sys.executable, "-S", "-B", str(PROGRAMS), str(self.folder)]
