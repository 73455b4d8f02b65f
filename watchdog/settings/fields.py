"""The kinds of fields the files have: durations with their unit, text as written, mappings with a short form."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from watchdog.model.base import Duration, parse_duration
from watchdog.settings.wording import described
from watchdog.settings.yaml import WrittenFloat, WrittenInt
from watchdog.template import BUILT_IN

LONGEST = timedelta(days=366)
SHORTEST_INTERVAL = timedelta(milliseconds=500)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Form(BaseModel):
    """A mapping as written in a file: unknown keys are errors. Docstrings of fields are their help in editors.

    A form with `short` may also be written as that field alone: `http: URL` for `http: {url: URL}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    short: ClassVar[str | None] = None
    short_type: ClassVar[type] = str

    @model_validator(mode="before")
    @classmethod
    def _long_form(cls, written: Any) -> Any:
        if cls.short is not None and isinstance(written, cls.short_type):
            return {cls.short: written}
        return written

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        if cls.short is None:
            return schema
        target = handler.resolve_ref_schema(schema)
        short = target["properties"][cls.short]
        return {"anyOf": [short, schema]}


def _duration(written: Any) -> Any:
    if isinstance(written, timedelta):
        return written
    if not isinstance(written, str):
        raise ValueError(f"expected a duration such as 30s, 10m or 1h30m, not {_number(written)}")  # noqa: TRY004
    try:
        duration = parse_duration(written)
    except OverflowError:
        duration = LONGEST * 2
    except ValueError:
        raise ValueError(f'expected a duration such as 30s, 10m or 1h30m, not "{written[:40]}"') from None
    if duration > LONGEST:
        raise ValueError("a duration is at most 366d")
    return duration


def _number(written: Any) -> str:
    if isinstance(written, (WrittenInt, WrittenFloat)):
        return f"{written.text} (without a unit)"
    return described(written)


def _long_enough(interval: timedelta) -> timedelta:
    if interval < SHORTEST_INTERVAL:
        raise ValueError("an interval is at least 500ms")
    return interval


def _longer_than_nothing(limit: timedelta) -> timedelta:
    if limit <= timedelta(0):
        raise ValueError("must be more than 0s")
    return limit


def as_written(value: Any) -> Any:
    """Numbers, true and false become the text that was written; the rest is left to pydantic."""
    if isinstance(value, bool):
        return str(value).lower()
    return getattr(value, "text", value)


def _variable_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a variable's name is letters, digits and _ only")
    if name in BUILT_IN:
        raise ValueError(f"{name} is a built-in name; choose another")
    return name


def _plain(text: str) -> str:
    if "{{" in text or "{%" in text:
        raise ValueError("a variable's value is plain text: templates are not filled in here")
    return text


def http_url(text: str) -> str:
    """An http(s) URL that hides no credentials. May hold templates."""
    if not re.match(r"(https?://|\{\{)", text):
        raise ValueError("expected a URL that begins with http:// or https://")
    try:
        netloc = urlsplit(text).netloc
    except ValueError as error:
        raise ValueError(f"not a valid URL: {error}") from None
    if "@" in netloc:
        raise ValueError("a URL is shown in logs and incidents: take the user name and password out of it")
    return text


Span = Annotated[Duration, BeforeValidator(_duration)]
"""A duration with its unit: `30s`, `10m`, `1h30m`, `500ms`."""

Interval = Annotated[Span, AfterValidator(_long_enough)]
Timeout = Annotated[Span, AfterValidator(_longer_than_nothing)]
Text = Annotated[
    str,
    BeforeValidator(as_written),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
Url = Annotated[str, AfterValidator(http_url)]
Vars = dict[Annotated[str, AfterValidator(_variable_name)], Annotated[Text, AfterValidator(_plain)]]
