"""Templates in queries, URLs and arguments: `{{ namespace }}` and the like, filled in, never run as code.

A sandboxed Jinja with undefined names as errors. Pure: the same text and names give the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from jinja2 import StrictUndefined, Template, TemplateError, UndefinedError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from watchdog.errors import BadTemplate

BUILT_IN = ("target", "environment", "namespace", "release", "revision", "pods", "service")
"""Names every template may use besides the target's own `vars`."""

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)

M = TypeVar("M", bound=BaseModel)


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)


def names(text: str) -> set[str]:
    """The names a template uses. Raises BadTemplate when it is not valid."""
    try:
        return meta.find_undeclared_variables(_ENVIRONMENT.parse(text))
    except TemplateError as error:
        raise BadTemplate(f"not a valid template: {error.message} in {text!r}") from error


def render(text: str, context: Mapping[str, str]) -> str:
    """Fill the template in. Raises BadTemplate for an unknown name."""
    if "{" not in text:
        return text
    try:
        return _compiled(text).render(context)
    except UndefinedError as error:
        known = ", ".join(sorted(context))
        raise BadTemplate(f"{error.message} in {text!r}; known here: {known}") from error
    except TemplateError as error:
        raise BadTemplate(f"not a valid template: {error.message} in {text!r}") from error


def render_all(value: M, context: Mapping[str, str]) -> M:
    """The same value with every string in it filled in, at any depth."""
    return type(value).model_validate(_walk(value.model_dump(), context))


def names_in(value: BaseModel) -> set[str]:
    """All names used by the strings of a value, at any depth."""
    found: set[str] = set()
    _collect(value.model_dump(), found)
    return found


def _walk(node: Any, context: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return render(node, context)
    if isinstance(node, dict):
        return {key: _walk(child, context) for key, child in node.items()}
    if isinstance(node, (list, tuple)):
        return tuple(_walk(child, context) for child in node)
    return node


def _collect(node: Any, found: set[str]) -> None:
    if isinstance(node, str):
        found |= names(node)
    elif isinstance(node, dict):
        for child in node.values():
            _collect(child, found)
    elif isinstance(node, (list, tuple)):
        for child in node:
            _collect(child, found)
