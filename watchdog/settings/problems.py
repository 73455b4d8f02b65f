"""Collects what is wrong with a file, so that a person sees all of it at once, in the file's order."""

from __future__ import annotations

from watchdog.errors import BadConfig
from watchdog.settings.yaml import Document, Loc


class Problems:
    """The problems found in one document so far."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._found: list[tuple[int, str]] = []

    def add(self, loc: Loc, text: object) -> None:
        """One problem at `loc`."""
        line = self.document.locate(loc)[1].line
        self._found.append((line, self.document.problem(loc, str(text))))

    def include(self, loc: Loc, error: BadConfig) -> None:
        """Problems that are worded already, met while reading what `loc` asks for."""
        self._found.append((self.document.locate(loc)[1].line, str(error)))

    def raise_if_any(self) -> None:
        """Raises BadConfig with one line per problem."""
        if self._found:
            ordered = sorted(self._found, key=lambda pair: pair[0])
            raise BadConfig("\n".join(dict.fromkeys(text for _, text in ordered)))
