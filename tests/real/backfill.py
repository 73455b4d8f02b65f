"""History for a Prometheus that has none yet: blocks that promtool makes from series, before the server starts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.waiting import within
from watchdog.model.series import Series

PROMTOOL = shutil.which("promtool")


def backfill(data: Path, series: Iterable[Series]) -> None:
    """Write these samples into a Prometheus data folder (`--storage.tsdb.path`). Each series has a `__name__`."""
    assert PROMTOOL is not None
    data.mkdir(parents=True, exist_ok=True)
    page = data.parent / "backfill.om"
    with page.open("w") as file:
        # OpenMetrics wants the series of one metric together.
        for one in sorted(series, key=lambda one: one.labels["__name__"]):
            name = _written(one.labels)
            file.writelines(f"{name} {value!r} {at!r}\n" for at, value in zip(one.at, one.values, strict=True))
        file.write("# EOF\n")
    command = [PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(page), str(data)]
    subprocess.run(command, check=True, timeout=within(60), capture_output=True)
    page.unlink()


def _written(labels) -> str:
    pairs = [f'{label}="{_escaped(value)}"' for label, value in sorted(labels.items()) if label != "__name__"]
    return labels["__name__"] + ("{" + ",".join(pairs) + "}" if pairs else "")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
