"""docs/config.md: its examples are read by the real reader, and the errors it shows are those that are said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from watchdog.command_answers import StatusDocument
from watchdog.errors import BadConfig
from watchdog.settings import load
from watchdog.settings.yaml import parse

PAGE = (Path(__file__).parents[2] / "docs" / "config.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
HOOK = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RULE_KEYS = {"scrape", "fail_when"}


def whole(example: dict[str, Any]) -> dict[str, Any]:
    """A whole config around an example, which is one already, or keys of one, of a target or of a rule."""
    shop = {"name": "shop", "compose": {"project": "shop"}, "probes": [{"name": "a", "tcp": "x:1"}]}
    if set(example) >= RULE_KEYS:
        example = {"rules": [{"name": "r", "trigger": "bug", "summary": "s", **example}]}
    if set(example) & {"rules", "probes", "vars"}:
        shop |= example
        example = {}
    sources = {"prometheus": {"url": "http://127.0.0.1:9090"}}
    return {"sources": sources, "targets": [shop], **example}


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_works(example: str, tmp_path: Path) -> None:
    text = example.replace("/run/secrets", str(tmp_path))
    (tmp_path / "sentry_dsn").write_text("https://abc@sentry.example/1\n")
    (tmp_path / "shop-rules.yaml").write_text("rules: [{name: mine, trigger: crash, summary: s, crashes: down}]\n")
    path = tmp_path / "watchdog.yaml"
    path.write_text(json.dumps(whole(parse(text, "example").root.value)))
    read = load(path, {"WATCHDOG_TOKEN": "x", "HOOK_SECRET": HOOK, "CHAT_SECRET": HOOK})
    assert read.targets


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6


def test_the_status_shown_is_what_the_command_platform_reads() -> None:
    shown = re.findall(r"^```json\n(\{.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert StatusDocument.model_validate_json(shown[0]).revision == "2026-11-23.2"


@pytest.mark.parametrize("line", re.findall(r"^ {6}(watchdog\.yaml:\d+: .*)$", PAGE, re.MULTILINE))
def test_an_error_shown_is_what_is_said(line: str, tmp_path: Path) -> None:
    wrong = {"bake_time": "watch: {bake_time: 10 minutes}", "cooldwn": "rollback: {cooldwn: 1m}"}
    key = next(key for key in wrong if key in line)
    path = tmp_path / "watchdog.yaml"
    path.write_text(f"targets: [{{name: a, compose: {{project: a}}, probes: [{{name: p, tcp: 'x:1'}}], {wrong[key]}}}]")
    with pytest.raises(BadConfig) as caught:
        load(path, {})
    said = str(caught.value).partition(":1: ")[2]
    assert said.startswith(line.partition(": ")[2].removesuffix(" …"))
