"""The JSON Schema: valid itself, and in agreement with what `load` takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel

from watchdog.settings import schema
from watchdog.settings.form import ConfigForm
from watchdog.settings.rules import RuleFileForm
from watchdog.settings.wording import models_in
from watchdog.settings.yaml import read

ROOT = Path(__file__).parents[2]


def valid(config: dict[str, Any]) -> bool:
    return bool(jsonschema_rs.Draft202012Validator(schema()).is_valid(config))


def example() -> dict[str, Any]:
    """The example file, as plain JSON."""
    value: dict[str, Any] = json.loads(json.dumps(read(ROOT / "watchdog.example.yaml").root.value))
    return value


def test_it_is_a_valid_schema() -> None:
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(schema())


def test_the_example_is_valid() -> None:
    assert valid(example())


def test_unknown_keys_are_not() -> None:
    assert not valid({**example(), "stor": "x"})
    config = example()
    config["targets"][0]["watch"]["bake_tme"] = "10m"
    assert not valid(config)


def test_short_forms_and_rules_are_valid() -> None:
    config = example()
    config["targets"][0]["vars"] = {"limit": 1.5}
    config["targets"][0]["rules"] = [
        "latency",
        "mine.yaml",
        {"pack": "crash", "except": ["x"], "override": {"y": {"for": "1m"}}},
        {"name": "r", "trigger": "bug", "summary": "s", "prometheus": "up", "fail_when": "value < 1", "for": "45s"},
        {"name": "r2", "trigger": "bug", "summary": "s", "command": ["check"], "failure_limit": 2},
        {"name": "r4", "compare": {"kind": "latency", "buckets": "b"}},
    ]
    assert valid(config)
    config["targets"][0]["rules"].append({"name": "r3", "trigger": "bug", "summary": "s", "compare": {}})
    assert not valid(config)


def test_a_plain_secret_or_a_bare_number_of_seconds_is_not_valid() -> None:
    assert not valid({**example(), "http": {"token": "hunter2"}})
    assert not valid({**example(), "retention": 30})


def test_defaults_look_as_people_write_them() -> None:
    assert schema()["$defs"]["WatchForm"]["properties"]["bake_time"]["default"] == "10m"
    assert "PT" not in json.dumps(schema())


def models(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """The model and all that its fields are made of."""
    if model in seen:
        return
    seen.add(model)
    yield model
    for info in model.model_fields.values():
        for inner in models_in(info.annotation):
            yield from models(inner, seen)


FORMS = sorted(
    {form for root in (ConfigForm, RuleFileForm) for form in models(root, set())}, key=lambda form: form.__name__
)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_key_is_described_and_is_in_the_documentation(form: type[BaseModel]) -> None:
    page = (ROOT / "docs" / "config.md").read_text()
    for name, info in form.model_fields.items():
        assert info.description, f"{form.__name__}.{name} has no description"
        assert f"`{info.alias or name}`" in page, f"docs/config.md does not say what {form.__name__}.{name} is"


def test_all_forms_are_found() -> None:
    assert {form.__name__ for form in FORMS} >= {"SecretForm", "PackForm", "QuantileForm", "OverrideForm", "HttpForm"}
