"""Says in plain words what pydantic found wrong. Shows no values, except those that are one of a fixed set of words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Tag

_EXPECTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "time_delta_type": "a duration such as 30s, 10m or 1h30m",
    "time_delta_parsing": "a duration such as 30s, 10m or 1h30m",
}

_SAID = {
    "missing": "this key is required",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "not a valid name: it must match {pattern}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
}


def in_words(detail: Mapping[str, Any], model: type[BaseModel]) -> str:
    """One error of `ValidationError.errors()`, as a person would say it. `model` is what was validated."""
    kind, context, given = str(detail["type"]), detail.get("ctx") or {}, detail.get("input")
    if kind == "extra_forbidden":
        *parents, key = detail["loc"]
        return _unknown_key(str(key), known_keys(model, tuple(parents)))
    if kind in {"value_error", "assertion_error"}:
        return str(context.get("error", detail["msg"]))
    if kind in {"literal_error", "enum"}:
        return _one_of(str(context.get("expected", "")), given)
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, not {described(given)}"
    said = _SAID.get(kind)
    return said.format(**context) if said else str(detail["msg"])


def described(value: Any) -> str:
    """What kind of thing a value is, without showing it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a mapping" if isinstance(value, Mapping) else "a list"


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """`did you mean bake_time? `, or nothing."""
    close = get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}? " if close else ""


def known_keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the mapping at `loc` of the model may have, as written in the file; empty if that is unknown."""
    found: list[Any] = [model]
    for part in loc:
        found = [inner for annotation in found for inner in _step(annotation, part)]
    found = [annotation for annotation in found if get_origin(annotation) not in {list, tuple, dict}]
    return sorted({key for annotation in found for m in models_in(annotation) for key in _fields(m)})


def _unknown_key(key: str, known: list[str]) -> str:
    listed = f"known keys: {', '.join(known)}" if known else "no keys are known here"
    return f"unknown key; {suggestion(key, known)}{listed}"


def _one_of(expected: str, value: Any) -> str:
    words = expected.replace("'", "").replace(" or ", ", ")
    if not isinstance(value, str) or len(value) > 40:
        return f"expected one of {words}, not {described(value)}"
    hint = suggestion(value, words.split(", ")).strip()
    return f"expected one of {words}, not {value!r}{'; ' + hint if hint else ''}"


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {(info.alias or name): info.annotation for name, info in model.model_fields.items()}


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """All models an annotation is made of, at any depth of Annotated, unions and containers."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_in(inner)]


def _step(annotation: Any, part: str | int) -> list[Any]:
    """What an annotation becomes one element of a `loc` further."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = _fields(annotation)
        return [fields[part]] if isinstance(part, str) and part in fields else []
    if origin in {list, tuple}:
        return [a for a in arguments if a is not Ellipsis] if isinstance(part, int) else []
    if origin is dict:
        return [arguments[1]]
    if origin is Annotated and any(isinstance(meta, Tag) for meta in arguments[1:]):
        return [arguments[0]] if any(isinstance(m, Tag) and m.tag == part for m in arguments[1:]) else []
    return [inner for a in arguments for inner in _step(a, part)]
