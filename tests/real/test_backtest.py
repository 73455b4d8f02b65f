"""`watchdog backtest` on a real Prometheus that remembers a day: of two deploys one is bad, and nothing else is."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components import require
from tests.real.backfill import PROMTOOL, backfill
from tests.real.prometheus_server import PROGRAM, PrometheusServer
from tests.waiting import within
from watchdog.model.series import Series

HOUR = 3600.0

CONFIG = """
store: sqlite:///state.db
sources: {{prometheus: {{url: "{url}"}}}}
targets:
  - name: shop
    command: {{status: [status], history: [history], rollback: [rollback]}}
    vars: {{job: api}}
    rules: [errors]
"""


@pytest.fixture
def remembered(tmp_path: Path) -> Iterator[tuple[PrometheusServer, float]]:
    """A server and the time at which its history ends: v1, four hours before that v2 (bad for 10 min), then v3."""
    require("prometheus", PROGRAM is not None and PROMTOOL is not None)
    end = float(int(time.time()) // 15 * 15)
    chance = random.Random(5)
    versions = {
        name: Series.of({"__name__": "build_info", "job": "api", "version": name}, []) for name in ("v1", "v2", "v3")
    }
    good = Series.of({"__name__": "http_requests_total", "job": "api", "instance": "a", "code": "200"}, [])
    bad = Series.of({"__name__": "http_requests_total", "job": "api", "instance": "a", "code": "500"}, [])
    sums = [0.0, 0.0]
    for n in range(20 * 240, -1, -1):
        at = end - 15 * n
        version = "v1" if n * 15 > 4 * HOUR else "v2" if n * 15 > 4 * HOUR - 600 else "v3"
        failed = sum(chance.random() < (0.08 if version == "v2" else 0.01) for _ in range(450))
        sums = [sums[0] + 450 - failed, sums[1] + failed]
        for series, value in ((good, sums[0]), (bad, sums[1]), (versions[version], 1.0)):
            series.at.append(at)
            series.values.append(value)
    server = PrometheusServer(tmp_path)
    backfill(tmp_path / "data", [good, bad, *versions.values()])
    try:
        server.start()
        yield server, end
    finally:
        server.close()


def backtest(folder: Path, url: str, *args: str) -> list[dict[str, object]]:
    (folder / "watchdog.yaml").write_text(CONFIG.format(url=url))
    program = Path(sys.executable).parent / "watchdog"
    done = subprocess.run(
        [program, "backtest", "-c", str(folder / "watchdog.yaml"), "--output", "json", *args],
        capture_output=True,
        text=True,
        timeout=within(60),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_deploys_are_found_by_a_version_label(remembered: tuple[PrometheusServer, float], tmp_path: Path):
    server, _end = remembered
    found = backtest(
        tmp_path, server.url, "--target", "shop", "--version-of", 'build_info{job="api"}', "--since", "10h"
    )
    assert [(o["revision"], o["verdict"]) for o in found] == [("v2", "fail"), ("v3", "pass")]
    bad = found[0]
    assert bad["rule"] == "errors-vs-before"
    assert isinstance(bad["seconds"], float)
    assert bad["seconds"] <= 180
    assert "errors went from 1." in str(bad["reason"])


def test_deploys_of_a_file_and_moments_without_one(remembered: tuple[PrometheusServer, float], tmp_path: Path):
    server, end = remembered
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end - 4 * HOUR))
    (tmp_path / "deploys.csv").write_text(f"target,revision,at\nshop,v2,{at}\n")
    found = backtest(
        tmp_path, server.url, "--deploys", str(tmp_path / "deploys.csv"), "--placebo", "10", "--since", "12h"
    )
    assert [o["verdict"] for o in found if not o["placebo"]] == ["fail"]
    placebos = [o for o in found if o["placebo"]]
    assert len(placebos) == 10
    assert [o["verdict"] for o in placebos] == ["pass"] * 10
