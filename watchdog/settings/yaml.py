"""Reads YAML 1.2 with line numbers, and turns what pydantic says about it into lines a person can act on.

The parser is ruamel.yaml's; the tree is ours: plain Python values, each with its place. What makes config files
surprising is refused: repeated keys, anchors and aliases (bombs), custom tags, several documents, huge files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from watchdog.errors import BadConfig
from watchdog.settings.wording import in_words

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 40

Loc = Sequence[str | int]
M = TypeVar("M", bound=BaseModel)

# The core schema of YAML 1.2, section 10.3.2.
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_SURROGATE = re.compile("[\ud800-\udfff]")


class WrittenInt(int):
    """A whole number that knows how it was written."""

    text: str


class WrittenFloat(float):
    """A number that knows how it was written: `1.10` as text is 1.10, not 1.1."""

    text: str


@dataclass(frozen=True)
class Node:
    """A value of the file, the line and column it is written at (from 1), and its parts by key or index."""

    value: Any
    line: int
    column: int
    parts: dict[str | int, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A file as read. `name` is what messages call it."""

    name: str
    root: Node

    def locate(self, loc: Loc) -> tuple[str, Node]:
        """The path in words (`targets[0].watch`) and the deepest node of a pydantic `loc` that is in the file.

        Tags of unions, which are no keys, are by convention written `<like this>`; exactly one is skipped at a time,
        never the last element. Names that a short form leaves out (`http: URL` for `http: {url: URL}`) are skipped.
        """
        node, path, skipped = self.root, "", False
        for index, part in enumerate(loc):
            child = node.parts.get(part)
            last = index == len(loc) - 1
            if _is_tag(part) and not skipped and not last:
                skipped = True
                continue
            skipped = False
            if child is not None:
                node = child
            elif not isinstance(node.value, dict):
                continue
            elif not last or part == "[key]":
                break
            path += f"[{part}]" if isinstance(part, int) else f"{'.' if path else ''}{part}"
        return path, node

    def problem(self, loc: Loc, text: str) -> str:
        """One line: file, line, path, and what is wrong there."""
        path, node = self.locate(loc)
        return f"{self.name}:{node.line}: {path + ': ' if path else ''}{text}"

    def validate(self, model: type[M], at: Loc = ()) -> M:
        """What is at `at`, as the model. Raises BadConfig with one line per problem."""
        value = self.locate(at)[1].value
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise bad_config(error, self, model, at) from None


def bad_config(error: ValidationError, document: Document, model: type[BaseModel], at: Loc = ()) -> BadConfig:
    """The same problems, each with file, line and key, in the file's order. Never shows values that may be secret."""
    found = []
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # its items are wrong, which is said of each
        loc = (*at, *detail["loc"])
        if _is_tag(loc[-1] if loc else "") and detail["type"] != "extra_forbidden":
            loc = loc[:-1]  # what is wrong with a member of a union as a whole
        line = document.locate(loc)[1].line
        found.append((line, document.problem(loc, in_words(detail, model))))
    return BadConfig("\n".join(text for _, text in sorted(dict.fromkeys(found), key=lambda pair: pair[0])))


def read(path: Path) -> Document:
    """Read a file. Raises BadConfig when it can't be read, is too large, or is not the YAML we accept."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadConfig(f"{path}: can't be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise BadConfig(f"{path}: is over 1 MiB; that is no config file")
    try:
        return parse(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadConfig(f"{path}:{line}: not UTF-8 text (byte {error.object[error.start]:#04x})") from None


def parse(text: str, name: str) -> Document:
    """Read a text as a file of that name. Raises BadConfig."""
    try:
        # Not "rt", the round-trip parser: it marks the folds of `>-` texts with \a characters.
        return Document(name, _Builder(name, YAML(typ="safe", pure=True).parse(text)).document())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark is not None else ""
        said = ", ".join(str(part) for part in (error.context, error.problem) if part)
        raise BadConfig(f"{name}{where}: not valid YAML: {said}") from None
    except (YAMLError, ValueError) as error:
        raise BadConfig(f"{name}: not valid YAML: {_first_line(error)}") from None


class _Builder:
    """Builds the tree from the parser's events, one pass, without recursion deeper than MAX_DEPTH."""

    def __init__(self, name: str, events: Iterator[Any]) -> None:
        self._name = name
        self._events = events

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, (ev.StreamStartEvent, ev.DocumentStartEvent, ev.DocumentEndEvent, ev.StreamEndEvent)):
                continue
            if root is not None:
                raise self._refuse(event, "a second document begins here (`---`); one file is one document")
            root = self._node(event, depth=0)
        return root or Node(None, 1, 1)

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, ev.AliasEvent):
            raise self._refuse(event, "an alias (*name) is not accepted: write the value out, or put text in quotes")
        if event.anchor:
            raise self._refuse(event, "an anchor (&name) is not accepted: write values out, or put text in quotes")
        if event.tag is not None and str(event.tag) != "!":
            raise self._refuse(event, "a tag (!name) is not accepted: write plain values, or put text in quotes")
        if depth > MAX_DEPTH:
            raise self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, ev.ScalarEvent):
            event.value = self._whole(event)
            plain = event.style is None and str(event.tag or "") != "!"
            return Node(self._scalar(event) if plain else event.value, line, column)
        parts = dict(self._mapping(depth) if isinstance(event, ev.MappingStartEvent) else self._sequence(depth))
        if isinstance(event, ev.MappingStartEvent):
            return Node({key: part.value for key, part in parts.items()}, line, column, parts)
        return Node([part.value for part in parts.values()], line, column, parts)

    def _sequence(self, depth: int) -> Iterator[tuple[str | int, Node]]:
        for index, event in enumerate(self._events):
            if isinstance(event, ev.SequenceEndEvent):
                return
            yield index, self._node(event, depth + 1)

    def _mapping(self, depth: int) -> Iterator[tuple[str | int, Node]]:
        """Keys are the text as written (`on`, `1`), and a part's place is that of its key."""
        seen: dict[str, int] = {}
        for event in self._events:
            if isinstance(event, ev.MappingEndEvent):
                return
            if not isinstance(event, ev.ScalarEvent):
                raise self._refuse(event, "a key must be plain text")
            self._node(event, depth)  # refuses anchors and tags on keys
            if not event.value.isprintable():
                raise self._refuse(event, "a key must be plain text")
            key, line, column = event.value, event.start_mark.line + 1, event.start_mark.column + 1
            if key in seen:
                raise self._refuse(event, f"the key {key!r} is already there, on line {seen[key]}")
            seen[key] = line
            child = self._node(next(self._events), depth + 1)
            yield key, Node(child.value, line, column, child.parts)

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text):
            return self._written(lambda: WrittenInt(text, 0 if text[:2] in ("0o", "0x") else 10), event)
        if _FLOAT.fullmatch(text):
            return self._written(lambda: WrittenFloat(re.sub(r"\.(inf|nan)", r"\1", text.lower())), event)
        return text

    def _written(self, make: Callable[[], WrittenInt | WrittenFloat], event: Any) -> WrittenInt | WrittenFloat:
        if len(event.value) > 100:
            raise self._refuse(event, "a number of over 100 digits; put text in quotes")
        number = make()
        number.text = event.value
        return number

    def _whole(self, event: Any) -> str:
        """The text, with characters that JSON writes as two escapes (`\\ud83d\\ude00`) made one."""
        text: str = event.value
        if not _SURROGATE.search(text):
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._refuse(event, "half a character (a lone surrogate)") from None

    def _refuse(self, event: Any, text: str) -> BadConfig:
        return BadConfig(f"{self._name}:{event.start_mark.line + 1}: {text}")


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
