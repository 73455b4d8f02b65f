"""The demo's config is one that anybody could write, and the live view says of it what the engine says."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchdog.demo.config import RULES, Shown, config_text
from watchdog.judge.conditions import compile_condition
from watchdog.model.target import Target
from watchdog.settings import load

COMMAND = {"status": ["s"], "history": ["h"], "rollback": ["r", "{{ revision }}"]}
COMPOSE = {"project": "shop-demo-1", "files": ["docker-compose.yml"], "directory": "/srv"}


def target(folder: Path, kind: str) -> Target:
    path = folder / "watchdog.yaml"
    path.write_text(config_text("shop", kind, COMMAND if kind == "command" else COMPOSE, 8080))
    return load(path, {}).targets[0]


@pytest.mark.parametrize("kind", ["command", "compose"])
def test_it_is_a_config_like_any_other(tmp_path: Path, kind: str):
    shop = target(tmp_path, kind)
    assert shop.spec.kind == kind
    assert shop.rollback.first_known_good == "running"


def test_every_rule_is_shown(tmp_path: Path):
    assert [rule.name for rule in target(tmp_path, "command").rules] == [shown.rule for shown in RULES]


@pytest.mark.parametrize("shown", RULES, ids=lambda shown: shown.rule)
def test_a_number_is_red_when_its_rule_fails(tmp_path: Path, shown: Shown):
    rule = target(tmp_path, "command").rule(shown.rule)
    assert rule is not None
    assert rule.fail_when is not None
    condition = compile_condition(rule.fail_when)
    for value in (0.0, shown.limit * 0.99, shown.limit, shown.limit * 1.01, shown.limit * 100):
        assert shown.fails(value) is condition.holds(value), value
