"""The rule packs that ship: each by its own test-rules file, and what is true of all of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from watchdog.model.base import parse_duration
from watchdog.model.rule import Action, PrometheusMeasure, Rule
from watchdog.rehearse import rehearse
from watchdog.settings.rules import read_rule_file
from watchdog.settings.yaml import read

ROOT = Path(__file__).parents[1]
PACKS = sorted(path.stem for path in (ROOT / "rules").glob("*.yaml"))
JOB = {"job": "shop-api"}


@cache
def rules(pack: str) -> tuple[Rule, ...]:
    return read_rule_file(ROOT / "rules" / f"{pack}.yaml", JOB).rules


def test_the_packs_the_issue_names_are_here():
    assert PACKS == ["cpu", "crash", "errors", "health", "kubernetes", "latency", "memory"]


@pytest.mark.parametrize("pack", PACKS)
def test_the_packs_own_tests(pack: str):
    for result in rehearse([ROOT / "rules" / "tests" / f"{pack}.yaml"]):
        assert result.ok, f"{result.file}:{result.line}: {result.name}: {'; '.join(result.differences)}"


@pytest.mark.parametrize("pack", PACKS)
def test_every_rule_is_shown_tripping_and_not_tripping(pack: str):
    shown: dict[str, set[str]] = {}
    for case in read(ROOT / "rules" / "tests" / f"{pack}.yaml").root.value["tests"]:
        shown.setdefault(case["rule"], set()).update(e["decision"] for e in case["expect"] if "decision" in e)
    for rule in rules(pack):
        assert "continue" in shown[rule.name] or "pass" in shown[rule.name], rule.name
        assert ("alert" if rule.action is Action.alert else "rollback") in shown[rule.name], rule.name


@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_is_usable_with_only_the_job(pack: str):
    assert rules(pack)


def test_vars_are_named_after_their_pack_so_that_packs_never_collide():
    for pack in PACKS:
        names = read_rule_file(ROOT / "rules" / f"{pack}.yaml", JOB).vars
        assert all(name == "job" or name.startswith(f"{pack}_") for name in names)


def test_what_a_rate_saw_of_the_deploy_itself_can_not_trip():
    """initial_delay (15 s by default) and `for` together are longer than the window the rate looks back over."""
    for pack in PACKS:
        file = read_rule_file(ROOT / "rules" / f"{pack}.yaml", JOB)
        window = file.vars.get(f"{pack}_window")
        for rule in file.rules:
            if window and isinstance(rule.measure, PrometheusMeasure):
                assert rule.for_ is not None
                delay = rule.initial_delay or parse_duration("15s")
                assert delay + rule.for_ > parse_duration(window), rule.name


@pytest.mark.parametrize("pack", PACKS)
def test_every_pack_and_rule_is_in_the_docs(pack: str):
    text = (ROOT / "docs" / "rules.md").read_text()
    for name in (*(rule.name for rule in rules(pack)), *read_rule_file(ROOT / "rules" / f"{pack}.yaml", JOB).vars):
        assert f"`{name}`" in text, name
