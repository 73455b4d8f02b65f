"""Writes helm/watchdog/values.schema.json: the chart's own values as they are there, the config's as the program has
it. `--check` writes nothing, and ends with exit code 1 when the file is behind.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from watchdog.settings.schema import schema

FILE = Path(__file__).parents[1] / "helm" / "watchdog" / "values.schema.json"
WRITTEN_BY_THE_CHART = ("store", "http")


def updated(values: dict[str, Any]) -> dict[str, Any]:
    """The chart's schema, with the config's part as the program has it now."""
    config = schema()
    definitions = config["$defs"]
    definitions["HelmForm"]["required"] = ["release"]  # the namespace is the chart's own by default
    keys = {name: form for name, form in config["properties"].items() if name not in WRITTEN_BY_THE_CHART}
    keys["targets"] = {**keys["targets"], "minItems": 0}
    part = {"type": "object", "additionalProperties": False, "properties": keys}
    return {**values, "properties": {**values["properties"], "config": part}, "$defs": definitions}


def main() -> int:
    """Write it, or compare."""
    text = FILE.read_text()
    new = json.dumps(updated(json.loads(text)), indent=1) + "\n"
    if "--check" in sys.argv:
        return int(text != new)
    FILE.write_text(new)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
