"""Keeps secrets out of what is stored and sent: which names look secret, and texts with the values taken out.

Pure. It knows the values it is given, `NAME=value` pairs whose name looks secret, and passwords in URLs. A secret that
is none of these is not found: what a program prints is its own responsibility.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

MASK = "***"

SHORTEST = 3
"""Values of fewer characters are left alone: masking `1` everywhere would destroy the evidence, and hide nothing."""

_SECRET_NAME = re.compile(
    r"PASSW|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|DSN|PRIVATE|COOKIE|SALT|BEARER|AUTHORIZATION|"
    r"KEYS?($|[_.\-])|[_.\-](PASS|PWD|AUTH|PAT)($|[_.\-])|^PASS$",
    re.IGNORECASE,
)
# The repetitions are bounded so that a hostile log line costs time in proportion to its length, not to its square.
_URL_PASSWORD = re.compile(
    r"(?P<head>\b[a-z][a-z0-9+.\-]{0,30}://[^\s:/@'\"]{0,256}:)(?P<password>[^\s/'\"]{1,1024})(?=@)", re.IGNORECASE
)
_ASSIGNMENT = re.compile(
    r"(?P<name>\b[A-Za-z][A-Za-z0-9_.\-]{0,100})(?P<sign>[\"']?\s?[=:]\s?)"
    r"(?P<value>\"[^\"\n]*\"|'[^'\n]*'|(?:(?:Bearer|Basic)\s+)?[^\s\"',;&{}\[\]]+)"
)
_WORD = re.compile(r"\w")


def looks_secret(name: str) -> bool:
    """Whether a variable of this name probably holds a secret: DB_PASSWORD, API_KEY, SENTRY_DSN, github-token."""
    return _SECRET_NAME.search(name) is not None


def secrets_in(environment: Mapping[str, str]) -> frozenset[str]:
    """The values to mask in whatever a program with this environment prints: those of secret-looking names, and the
    passwords of URLs in all others."""
    found = {value for name, value in environment.items() if looks_secret(name)}
    for value in environment.values():
        for match in _URL_PASSWORD.finditer(value):
            found |= {match["password"], unquote(match["password"])}
    return frozenset(value for value in found if len(value) >= SHORTEST)


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret replaced by `***`: the values given (also as JSON and URLs write them, and line by
    line), the passwords of URLs, and the values of `NAME=value` or `"name": "value"` where the name looks secret."""
    spellings = sorted({spelling for secret in secrets for spelling in _spellings(secret)}, key=len, reverse=True)
    if spellings:
        text = re.sub("|".join(_pattern(spelling) for spelling in spellings), MASK, text)
    text = _URL_PASSWORD.sub(rf"\g<head>{MASK}", text)
    return _ASSIGNMENT.sub(_masked_assignment, text)


def _spellings(secret: str) -> set[str]:
    lines = {line.strip() for line in secret.splitlines() if len(line.strip()) >= 8}
    forms = {secret.strip(), json.dumps(secret)[1:-1], quote(secret, safe=""), *lines}
    return {form for form in forms if len(form) >= SHORTEST}


def _pattern(spelling: str) -> str:
    """A short value is only masked as a word of its own."""
    if len(spelling) >= 6:
        return re.escape(spelling)
    head = r"(?<!\w)" if _WORD.match(spelling[0]) else ""
    tail = r"(?!\w)" if _WORD.match(spelling[-1]) else ""
    return head + re.escape(spelling) + tail


def _masked_assignment(match: re.Match[str]) -> str:
    if not looks_secret(match["name"]):
        return match[0]
    quoting = match["value"][0] if match["value"][0] in "\"'" else ""
    return f"{match['name']}{match['sign']}{quoting}{MASK}{quoting}"
