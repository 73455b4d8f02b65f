"""Strings of a Compose file with shell variables in them: read, and matched against what they became. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Answer = dict[str, str]
"""Variable → value."""

MOST_VARIABLES, LONGEST = 6, 4_096
"""Strings of more variables, or that became longer, are not matched: trying all ways would take too long."""


@dataclass(frozen=True)
class Reference:
    """`$NAME` or `${NAME}` with what follows the name: `:-`, `-`, `:?`, `?`, `:+`, `+`, and its word."""

    name: str
    operator: str = ""
    word: str = ""


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":[-?+]|[-?+]")


def parse(text: str) -> list[str | Reference]:
    """A string of a Compose file as literal parts and references; `$$` is a dollar. What is no reference is literal."""
    parts: list[str | Reference] = []
    literal, at = "", 0
    while at < len(text):
        reference, end = _reference(text, at) if text[at] == "$" else (None, at)
        if reference is not None:
            parts += [literal, reference] if literal else [reference]
            literal, at = "", end
        else:
            literal += text[at]
            at += 2 if text.startswith("$$", at) else 1
    return [*parts, literal] if literal else parts


def _reference(text: str, at: int) -> tuple[Reference | None, int]:
    braced = text.startswith("${", at)
    name = _NAME.match(text, at + (2 if braced else 1))
    if text.startswith("$$", at) or name is None:
        return None, at
    if not braced:
        return Reference(name[0]), name.end()
    end = _closing(text, at + 2)
    rest = text[name.end() : end]
    operator = _OPERATOR.match(rest)
    if end < 0 or (rest and operator is None):
        return None, at
    return Reference(name[0], operator[0] if operator else "", rest[operator.end() :] if operator else ""), end + 1


def _closing(text: str, at: int) -> int:
    """Where the brace that was opened before `at` closes; -1: nowhere."""
    depth = 1
    for index in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return -1


def match(template: str, actual: str) -> list[Answer]:
    """What the variables of a template must be for it to give `actual`: all likely answers, none if it never does.

    A variable that may as well be unset, since its default is what runs, is not in the answer.
    """
    parts = parse(template)
    if len(actual) > LONGEST or sum(isinstance(part, Reference) for part in parts) > MOST_VARIABLES:
        return []
    answers: list[Answer] = []
    for lazy in ("", "?"):
        found = re.fullmatch(_pattern(parts, lazy), actual, re.DOTALL)
        if found is not None and (answer := _answer(parts, found)) not in answers:
            answers.append(answer)
    return answers


def _pattern(parts: Sequence[str | Reference], lazy: str) -> str:
    pattern, seen = "", set()
    for part in parts:
        if isinstance(part, str):
            pattern += re.escape(part)
        elif part.operator in {":+", "+"}:
            pattern += f"(?:{re.escape(part.word)})?"
        elif part.name in seen:
            pattern += f"(?P={part.name})"
        else:
            pattern += f"(?P<{part.name}>.*{lazy})"
            seen.add(part.name)
    return pattern


def _answer(parts: Sequence[str | Reference], found: re.Match[str]) -> Answer:
    captured = found.groupdict()
    out = {}
    for part in parts:
        if isinstance(part, Reference) and part.operator not in {":+", "+"}:
            value = captured[part.name]
            default = part.word.replace("$$", "$") if part.operator in {":-", "-"} else ""
            if value != default:
                out[part.name] = value
    for part in parts:
        # `${DEBUG:+--verbose}` says only that DEBUG was set; any value does.
        if isinstance(part, Reference) and part.operator in {":+", "+"} and part.word and part.word in found[0]:
            out.setdefault(part.name, "1")
    return out
