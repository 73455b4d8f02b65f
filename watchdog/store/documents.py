"""Values as JSON text and back: the same form in every store, so that one can stand for another in tests."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic_core import PydanticSerializationError

from watchdog.model.base import Value

V = TypeVar("V", bound=Value)


def encode(value: Value) -> str:
    """The value as JSON. Half characters (from a program's broken output) become `?`: they must not stop a step."""
    try:
        return value.model_dump_json()
    except PydanticSerializationError:
        return type(value).model_validate(_whole(value.model_dump())).model_dump_json()


def decode(model: type[V], document: str) -> V:
    """The value that was encoded. Raises pydantic's ValidationError, whose text repeats the document."""
    return model.model_validate_json(document)


def _whole(part: Any) -> Any:
    if isinstance(part, str):
        return part.encode("utf-8", "replace").decode("utf-8")
    if isinstance(part, dict):
        return {_whole(key): _whole(value) for key, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [_whole(value) for value in part]
    return part
