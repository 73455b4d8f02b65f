"""Targets by name, and the releases that a pattern stands for."""

import pytest

from watchdog.model.target import CommandSpec, HelmSpec, Target
from watchdog.roster import Roster

SHOP = Target(name="shop", spec=CommandSpec(status=("s",), history=("h",), rollback=("r",)))
TOOLS = Target(name="tools", environment="staging", spec=HelmSpec(namespace="tools", release="*", exclude=("old",)))
ALL = Target(name="all", spec=HelmSpec(namespace="*", release="*"))
WEB = Target(name="web", spec=HelmSpec(namespace="*", release="web"))


def spec_of(target: Target) -> tuple[str, str]:
    assert isinstance(target.spec, HelmSpec)
    return target.spec.namespace, target.spec.release


def test_a_pattern_is_never_a_target_itself():
    roster = Roster([SHOP, TOOLS])
    assert list(roster) == ["shop"]
    assert "tools" not in roster
    assert roster.names() == "shop, tools.*"


@pytest.mark.parametrize(
    ("pattern", "name", "release"),
    [
        (TOOLS, "tools.api", ("tools", "api")),
        (TOOLS, "tools.api.v2", ("tools", "api.v2")),
        (ALL, "all.team-a.api", ("team-a", "api")),
        (ALL, "all.team-a.api.v2", ("team-a", "api.v2")),
        (WEB, "web.team-a.web", ("team-a", "web")),
    ],
)
def test_a_found_targets_name_says_which_release_it_is(pattern, name, release):
    found = Roster([pattern])[name]
    assert spec_of(found) == release
    assert found == pattern.found(*release)
    assert found.environment == pattern.environment
    assert not found.is_pattern


@pytest.mark.parametrize(
    ("pattern", "name"), [(TOOLS, "tools."), (ALL, "all.team-a"), (WEB, "web.team-a.api"), (SHOP, "shop.x")]
)
def test_names_that_no_release_could_have(pattern, name):
    assert name not in Roster([pattern])


def test_what_was_met_is_counted_until_it_is_forgotten():
    roster = Roster([SHOP, TOOLS])
    roster.meet(["tools.api", "nobody", "shop"])
    assert list(roster) == ["shop", "tools.api"]
    roster.forget("tools.api")
    roster.forget("shop")
    assert list(roster) == ["shop"]
