"""docs/events.md shows exactly what is sent."""

import json
import re
from pathlib import Path

import pytest

from watchdog.model.incident import EventKind
from watchdog.report.fields import DETAIL_FIELDS
from watchdog.report.webhook import body_of

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLES = {
    title: json.loads(block)
    for title, block in re.findall(r"^### (\S+)$.*?^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
}
SENT = [kind for kind in EventKind if kind is not EventKind.note]


def test_there_is_an_example_of_each_kind_that_is_sent():
    assert sorted(EXAMPLES) == sorted(kind.value for kind in SENT)
    assert set(DETAIL_FIELDS) == set(SENT)


@pytest.mark.parametrize("kind", SENT)
def test_each_example_is_what_the_webhook_would_send(kind, story):
    made = next(event for event in story.sample_events if event.kind is kind)
    sent, shown = body_of(made), EXAMPLES[kind.value]
    sent["data"]["id"] = shown["data"]["id"]  # random in what is made
    assert shown == json.loads(json.dumps(sent))


@pytest.mark.parametrize("kind", SENT)
def test_details_have_documented_fields_only(kind, story):
    made = next(event for event in story.sample_events if event.kind is kind)
    assert set(made.detail) <= DETAIL_FIELDS[kind]


def test_the_page_shows_every_documented_field():
    missing = {
        f"{kind.value}.{field}"
        for kind, fields in DETAIL_FIELDS.items()
        for field in fields - set(EXAMPLES[kind.value]["data"]["detail"])
    }
    assert not missing
