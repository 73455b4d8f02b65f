"""Selectors of series as Prometheus writes them: `name{label="x",other=~"re",third!="y",fourth!~"re"}`. Pure.

Regular expressions are those of Python's `re`, matched against the whole value as Prometheus does. RE2's differ in
rare places (`\\C`, `\\pN`, `(?U)`), and look-arounds, which RE2 refuses, are accepted here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATOR = re.compile(r"=~|!~|!=|=")
_STRING = re.compile(r"""\"((?:[^"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'|`([^`]*)`""")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
_SPACE = re.compile(r"\s*")


class BadSelector(ValueError):
    """Not a selector; the message says where and what was expected."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label. A label that a series does not have counts as empty, as in Prometheus."""

    label: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str
    pattern: re.Pattern[str] | None = None

    def __str__(self) -> str:
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.operator}"{value}"'

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is meant."""
        value = labels.get(self.label, "")
        if self.pattern is None:
            return (value == self.value) == (self.operator == "=")
        return (self.pattern.fullmatch(value) is not None) == (self.operator == "=~")


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric's name and conditions on its labels."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        return self.name + (f"{{{','.join(map(str, self.matchers))}}}" if self.matchers else "")

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether this series is meant."""
        return name == self.name and all(matcher.matches(labels) for matcher in self.matchers)


@lru_cache(maxsize=1024)
def parse_selector(text: str) -> Selector:
    """Read a selector. Raises BadSelector."""
    reader = _Reader(text)
    name = reader.take(_NAME, "a metric name")
    matchers: list[Matcher] = []
    if reader.skip("{"):
        while not reader.skip("}"):
            matchers.append(_matcher(reader))
            if not reader.skip(","):
                reader.expect("}", "`,` or `}`")
                break
    reader.end()
    return Selector(name, tuple(matchers))


def _matcher(reader: _Reader) -> Matcher:
    label = reader.take(_LABEL, "a label name or `}`")
    operator = reader.take(_OPERATOR, "one of = != =~ !~")
    at = reader.at
    value = reader.string()
    if operator in ("=", "!="):
        return Matcher(label, operator, value)  # type: ignore[arg-type]
    try:
        return Matcher(label, operator, value, re.compile(value, re.DOTALL))  # type: ignore[arg-type]
    except (re.error, OverflowError, RecursionError) as error:
        raise reader.wrong(f"a regular expression ({error})", at) from error


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0
        self._skip_space()

    def take(self, pattern: re.Pattern[str], expected: str) -> str:
        found = pattern.match(self._text, self.at)
        if found is None:
            raise self.wrong(expected)
        self._to(found.end())
        return found[0]

    def string(self) -> str:
        found = _STRING.match(self._text, self.at)
        if found is None:
            raise self.wrong("a quoted value")
        double, single, raw = found.groups()
        if raw is not None:
            value = raw
        else:
            quoted = double if double is not None else single
            if bad := next((m for m in _ESCAPE.finditer(quoted) if m[1] not in _ESCAPES), None):
                raise self.wrong(f"an escape Prometheus has (not {bad[0]!r}; write a backslash as \\\\)")
            value = _ESCAPE.sub(lambda m: _ESCAPES[m[1]], quoted)
        self._to(found.end())
        return value

    def skip(self, character: str) -> bool:
        if not self._text.startswith(character, self.at):
            return False
        self._to(self.at + 1)
        return True

    def expect(self, character: str, expected: str) -> None:
        if not self.skip(character):
            raise self.wrong(expected)

    def end(self) -> None:
        if self.at != len(self._text):
            raise self.wrong("its end")

    def wrong(self, expected: str, at: int | None = None) -> BadSelector:
        position = self.at if at is None else at
        return BadSelector(f"{self._text!r} is not a selector: at character {position + 1}, expected {expected}")

    def _to(self, position: int) -> None:
        self.at = position
        self._skip_space()

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self.at)
        self.at = space.end() if space else self.at
