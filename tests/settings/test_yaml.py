"""The YAML reader: 1.2, with places, and nothing that surprises."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from watchdog.errors import BadConfig
from watchdog.settings.fields import Form, Span, Text
from watchdog.settings.yaml import MAX_BYTES, parse, read


def value(text: str) -> object:
    return parse(text, "x.yaml").root.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on: no", {"on": "no"}),
        ("yes: NO", {"yes": "NO"}),
        ("a: 0755", {"a": 755}),
        ("a: 0o17", {"a": 15}),
        ("a: 0xff", {"a": 255}),
        ("a: 1.5e3", {"a": 1500.0}),
        ("a: -.INF", {"a": -math.inf}),
        ("a: True", {"a": True}),
        ("a: ~\nb:", {"a": None, "b": None}),
        ("a: 'true'", {"a": "true"}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("1: x", {"1": "x"}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ('{"json": ["is", "yaml"]}', {"json": ["is", "yaml"]}),
        ("a: >-\n  sum by (le)\n  (x)\n    and y\n\n  z\n", {"a": "sum by (le) (x)\n  and y\n\nz"}),
        (r'{"a": "\ud83d\ude00"}', {"a": "\N{GRINNING FACE}"}),
        ("", None),
        ("# only a comment\n", None),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, expected: object) -> None:
    assert value(text) == expected


def test_nan_is_read() -> None:
    found = value("[.nan, .NaN]")
    assert isinstance(found, list)
    assert all(math.isnan(number) for number in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "x.yaml:3: the key 'a' is already there, on line 1"),
        ("a: &x 1", "x.yaml:1: an anchor (&name) is not accepted: write values out, or put text in quotes"),
        ("a: *x", "x.yaml:1: an alias (*name) is not accepted: write the value out, or put text in quotes"),
        (
            "a:\n  - !!python/object 1",
            "x.yaml:2: a tag (!name) is not accepted: write plain values, or put text in quotes",
        ),
        ('"a\\nb": 1', "x.yaml:1: a key must be plain text"),
        ('a: "\\ud800"', "x.yaml:1: half a character (a lone surrogate)"),
        ("? [a]\n: b", "x.yaml:1: a key must be plain text"),
        ("--- a\n--- b", "x.yaml:2: a second document begins here (`---`); one file is one document"),
        ("a: " + "[" * 60, "x.yaml:1: nested deeper than 40 levels"),
        ("a: " + "9" * 5000, "x.yaml:1: a number of over 100 digits; put text in quotes"),
        (
            "a: [1,\nb: {",
            "x.yaml:2: not valid YAML: while parsing a flow node, expected the node content, but found '<stream end>'",
        ),
        (
            "a: b: c",
            "x.yaml:1: not valid YAML: mapping values are not allowed here",
        ),
    ],
)
def test_what_surprises_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadConfig) as caught:
        value(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["token: *hunter2", "token: &hunter2 x", "token: !hunter2 x", "token: @hunter2"])
def test_a_secret_that_is_not_valid_yaml_is_not_shown(text: str) -> None:
    with pytest.raises(BadConfig) as caught:
        value(text)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_there_or_too_large_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="can't be read: No such file or directory"):
        read(tmp_path / "no.yaml")
    with pytest.raises(BadConfig, match="can't be read: Is a directory"):
        read(tmp_path)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(BadConfig, match="is over 1 MiB; that is no config file"):
        read(large)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(BadConfig, match=r"latin.yaml:2: not UTF-8 text \(byte 0xe9\)"):
        read(latin)


def test_numbers_know_how_they_were_written() -> None:
    class Version(Form):
        version: Text
        flag: Text

    assert parse("version: 1.10\nflag: True", "x").validate(Version) == Version(version="1.10", flag="true")


class Inner(Form):
    wait: Span
    names: list[str] = []


class Outer(Form):
    inner: Inner
    many: dict[str, Inner] = {}
    count: int = Field(default=1, ge=1, le=3)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("inner: {wait: 10 s}", ['x.yaml:1: inner.wait: expected a duration such as 30s, 10m or 1h30m, not "10 s"']),
        (
            "inner:\n  wait: 10s\n  nams: []",
            ["x.yaml:3: inner.nams: unknown key; did you mean names? known keys: names, wait"],
        ),
        ("inner: {wait: 1s}\nzzz: 1", ["x.yaml:2: zzz: unknown key; known keys: count, inner, many"]),
        ("inner:\n  {}", ["x.yaml:1: inner.wait: this key is required"]),
        (
            "inner: {wait: 1s}\nmany:\n  a: {wait: 1s}\n  b:\n    wait: 1s\n    wat: 2s",
            ["x.yaml:6: many.b.wat: unknown key; did you mean wait? known keys: names, wait"],
        ),
        ("inner: [1]", ["x.yaml:1: inner: expected a mapping (key: value), not a list"]),
        ("count: 4\ninner: {wait: 1s, names: [a, 1]}", [
            "x.yaml:1: count: must be at most 3",
            "x.yaml:2: inner.names[1]: expected text, not a number",
        ]),
        ("", ["x.yaml:1: expected a mapping (key: value), not nothing"]),
    ],
)  # fmt: skip
def test_problems_have_file_line_key_and_what_was_expected(text: str, lines: list[str]) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(text, "x.yaml").validate(Outer)
    assert str(caught.value).splitlines() == lines


def test_the_tag_of_a_union_is_no_key_but_a_key_of_that_name_is() -> None:
    document = parse("rules:\n- <rule>:\n    x: 1\n", "x.yaml")
    assert document.locate(("rules", 0, "<rule>", "<rule>", "x"))[0] == "rules[0].<rule>.x"
    assert document.locate(("rules", 0, "<rule>", "<rule>"))[1].line == 2


def complaint(text: str) -> str | None:
    try:
        parse(text, "x.yaml")
    except BadConfig as error:
        return str(error)
    return None


@given(st.text() | st.text(alphabet="a:-[]{}&*!|>'\"%@#\n\t ,?0.e_~\\", max_size=60))
def test_arbitrary_text_is_read_or_refused(text: str) -> None:
    assert (complaint(text) or "x.yaml:").startswith("x.yaml")
