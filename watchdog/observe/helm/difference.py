"""What a deploy changed, as a unified diff of two manifests without anything of a Secret but its name. Pure."""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Iterator, Mapping

from watchdog.model.masking import secrets_in
from watchdog.observe.helm.manifest import documents, parsed

_VARIABLES = re.compile(r"""\benv["']?\s*:""")
_SECRET = re.compile(r"""\bkind["']?\s*:\s*["']?Secret(List)?\b""")


def difference(before: str, now: str, names: tuple[str, str]) -> str:
    """Empty when they are the same, Secrets included."""
    then_lines, now_lines = _shown(before), _shown(now)
    told = "\n".join(difflib.unified_diff(then_lines, now_lines, *names, lineterm=""))
    changed = _changed_secrets(before, now)
    words = f"values of Secrets differ (never shown): {', '.join(changed)}" if changed else ""
    return "\n".join(part for part in (words, told) if part)


def secret_values(manifest: str) -> set[str]:
    """The values that the manifest's Secrets, and variables whose names look secret, hold: to mask them everywhere."""
    found = set[str]()
    for text in documents(manifest):
        for thing in parsed(text) if _SECRET.search(text) or _VARIABLES.search(text) else ():
            if thing.get("kind") != "Secret":
                found |= secrets_in(dict(_variables(thing)))
                continue
            found |= {str(value) for value in _mapping(thing.get("stringData")).values()}
            for value in _mapping(thing.get("data")).values():
                found.add(str(value))
                found.add(_decoded(str(value)))
    return {value for value in found if value.strip()}


def _variables(thing: object) -> Iterator[tuple[str, str]]:
    """All `name` and `value` pairs, however deep."""
    if isinstance(thing, Mapping):
        if isinstance(thing.get("value"), str) and isinstance(thing.get("name"), str):
            yield thing["name"], thing["value"]
        for value in thing.values():
            yield from _variables(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from _variables(value)


def _shown(manifest: str) -> list[str]:
    lines: list[str] = []
    for text in documents(manifest):
        if _SECRET.search(text):
            names = _secrets(text) or {"?": ""}
            lines += ["---", *(f"Secret/{name} (its content is not shown)" for name in names)]
        elif text.strip():
            lines += ["---", *(line.rstrip() for line in text.strip("\n").splitlines())]
    return lines


def _changed_secrets(before: str, now: str) -> list[str]:
    then_all = {k: v for text in documents(before) if _SECRET.search(text) for k, v in _secrets(text).items()}
    now_all = {k: v for text in documents(now) if _SECRET.search(text) for k, v in _secrets(text).items()}
    return sorted(name for name in then_all.keys() & now_all.keys() if then_all[name] != now_all[name])


def _secrets(text: str) -> dict[str, str]:
    """Name → all of it, only to compare."""
    return {str(_mapping(thing.get("metadata")).get("name")): repr(thing) for thing in parsed(text)}


def _mapping(found: object) -> Mapping[str, object]:
    return found if isinstance(found, Mapping) else {}


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
