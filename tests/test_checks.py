"""`watchdog check`, on fakes: each thing that was reached for, what is missing, what is good to know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shop import SECRETS, Shop
from watchdog.app import App, build
from watchdog.checks import Finding, findings
from watchdog.model.deploy import Revision
from watchdog.model.rule import Measure
from watchdog.settings import load
from watchdog.store.base import Step
from watchdog.testing import EPOCH, FakeGauge, FakePlatform, World


class Talking(FakeGauge):
    """A gauge with something to say about each question."""

    def __init__(self, *lines: str) -> None:
        super().__init__()
        self.lines = lines

    def check(self, measure: Measure) -> tuple[str, ...]:
        return self.lines


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    shop = Shop(tmp_path)
    made = build(load(shop.config, SECRETS))
    made.platforms["command"] = FakePlatform({"shop": World()})
    made.gauges["command"] = Talking()
    yield made
    made.close()


def found(app: App) -> dict[str, Finding]:
    return {one.what: one for one in findings(app)}


def test_all_is_well(app: App) -> None:
    assert not any(one.missing for one in findings(app))
    assert list(found(app))[1:] == [
        "state",
        "shop: command",
        "shop: rule crash-loop (crashes)",
        "shop: rule probe-api (command)",
    ]


def test_a_platform_that_is_away_is_missing_and_the_rules_are_still_asked(app: App) -> None:
    app.platforms["command"].worlds["shop"].broken = "no answer"
    app.gauges["command"] = Talking("probe.sh was not found")
    assert found(app)["shop: command"].missing == ("no answer",)
    assert found(app)["shop: rule probe-api (command)"].missing == ("probe.sh was not found",)


def test_notes_are_not_missing(app: App) -> None:
    app.gauges["command"] = Talking("note: it fails now", "it cannot be started")
    probe = found(app)["shop: rule probe-api (command)"]
    assert probe.missing == ("it cannot be started",)
    assert probe.notes == ("it fails now",)


def test_a_query_of_several_lines_is_said_in_one(app: App) -> None:
    app.gauges["command"] = Talking("note: returns no series now: up\n  and on (id)\n  x")
    assert found(app)["shop: rule probe-api (command)"].notes == ("returns no series now: up and on (id) x",)


def test_what_the_platform_notes_is_not_missing(app: App) -> None:
    world = app.platforms["command"].worlds["shop"]
    app.platforms["command"].check = lambda target: ["note: history does not list v1"]
    assert world.broken is None
    assert found(app)["shop: command"].missing == ()
    assert found(app)["shop: command"].notes[0] == "history does not list v1"


def test_a_rule_without_its_source_says_what_to_add(app: App) -> None:
    del app.gauges["command"]
    (line,) = found(app)["shop: rule probe-api (command)"].missing
    assert "sources: {command: {url: …}}" in line


def test_known_good_revisions_are_named(app: App) -> None:
    for name in ("v1", "v2"):
        good = Revision(target="shop", id=name, fingerprint=name, seen_at=EPOCH, known_good=True)
        app.store.save(Step(revisions=(good,)))
    (line,) = found(app)["shop: command"].notes
    assert line.startswith("known good: ")
    assert {"v1", "v2"} == set(line.removeprefix("known good: ").split(", "))
