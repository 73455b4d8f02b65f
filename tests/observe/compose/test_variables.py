"""Which shell variables a deploy was made with, from the file as written and what runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.compose.engine import parse as parse_container
from watchdog.observe.compose.template import Reference, match, parse
from watchdog.observe.compose.variables import solve


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain", ["plain"]),
        ("$A", [Reference("A")]),
        ("${A}:${B:-1}", [Reference("A"), ":", Reference("B", ":-", "1")]),
        ("${A:?say it}", [Reference("A", ":?", "say it")]),
        ("${A:-${B}}x", [Reference("A", ":-", "${B}"), "x"]),
        ("cost $$5 and $$A", ["cost $5 and $A"]),
        ("a$", ["a$"]),
        ("${1}", ["${1}"]),
        ("${A", ["${A"]),
    ],
)
def test_reading_a_string(text, parts):
    assert parse(text) == parts


@pytest.mark.parametrize(
    ("template", "actual", "answers"),
    [
        ("${API_IMAGE:-shop-api:1}", "shop-api:2", [{"API_IMAGE": "shop-api:2"}]),
        ("${API_IMAGE:-shop-api:1}", "shop-api:1", [{}]),
        ("registry:5000/shop/api:${TAG}", "registry:5000/shop/api:2.1", [{"TAG": "2.1"}]),
        ("${REPO}:${TAG}", "reg:50/a:1", [{"REPO": "reg:50/a", "TAG": "1"}, {"REPO": "reg", "TAG": "50/a:1"}]),
        ("${A}-${A}", "x-x", [{"A": "x"}]),
        ("${A}-${A}", "x-y", []),
        ("shop:${TAG}", "other:1", []),
        ("run ${DEBUG:+--verbose}", "run --verbose", [{"DEBUG": "1"}]),
        ("run ${DEBUG:+--verbose}", "run ", [{}]),
        ("a$$b${X}", "a$bc", [{"X": "c"}]),
    ],
)
def test_matching_a_string(template, actual, answers):
    assert match(template, actual) == answers


@given(st.text(max_size=30), st.text(min_size=1, max_size=30))
def test_whatever_one_variable_was_it_is_found(before, value):
    template = before.replace("$", "$$") + "${X}"
    assert {"X": value} in match(template, before + value)


def running(image="shop-api:2", env=(), **host):
    inspected = {
        "Id": "a" * 64,
        "Name": "/shop-api-1",
        "Config": {"Image": image, "Env": list(env), "Cmd": ["serve", "--port", "8080"], "Labels": {"team": "blue"}},
        "HostConfig": host,
        "Mounts": [{"Type": "bind", "Source": "/srv/shop/data", "Destination": "/data"}],
    }
    return {"api": [parse_container(inspected)]}


def solved(body, **kwargs):
    return solve({"services": {"api": body}}, running(**kwargs), "/srv/shop")[0]


def test_an_image_and_an_environment():
    body = {"image": "${API_IMAGE:-shop-api:1}", "environment": {"FEATURE_X": "${FEATURE_X:-off}", "PLAIN": "1"}}
    assert solved(body, env=["FEATURE_X=on"]) == {"API_IMAGE": "shop-api:2", "FEATURE_X": "on"}


def test_an_environment_written_as_a_list():
    body = {"environment": ["MODE=${MODE}", "TOKEN", "ABSENT"]}
    assert solved(body, env=["MODE=fast", "TOKEN=t0p"]) == {"MODE": "fast", "TOKEN": "t0p"}


def test_commands_labels_ports_and_binds():
    body = {
        "command": ["serve", "--port", "${INNER}"],
        "labels": {"team": "${TEAM:-red}"},
        "ports": ["127.0.0.1:${PORT:-80}:8080"],
        "volumes": [{"type": "bind", "source": "${DATA:-./data}", "target": "/data"}],
    }
    bindings = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]}
    assert solved(body, PortBindings=bindings) == {"INNER": "8080", "TEAM": "blue", "PORT": "18080"}


def test_a_long_port_and_a_limit():
    body = {"ports": [{"target": 8080, "published": "${PORT}"}], "mem_limit": "${MEM:-64m}"}
    bindings = {"8080/tcp": [{"HostIp": "", "HostPort": "9000"}]}
    assert solved(body, PortBindings=bindings, Memory=1048576) == {"PORT": "9000", "MEM": "1048576"}


def test_an_unclear_string_is_read_by_the_light_of_a_clear_one():
    body = {"image": "${REPO}:${TAG}", "environment": {"VERSION": "${TAG}"}}
    found = solve({"services": {"api": body}}, running("reg:5000/api:7", ["VERSION=7"]), "/srv/shop")
    assert found[0] == {"REPO": "reg:5000/api", "TAG": "7"}


def test_strings_that_can_never_match_say_nothing():
    assert solved({"image": "fixed:${TAG}", "command": "one ${X}"}) == {}
