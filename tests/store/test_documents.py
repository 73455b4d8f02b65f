"""What is stored reads back as it was, today and from what schema 1 wrote."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.examples import full_values, logs, measurement, watch
from watchdog.model.deploy import EvidenceItem
from watchdog.model.measurement import Measurement, Sample
from watchdog.model.watch import Watch
from watchdog.store.documents import decode, encode
from watchdog.store.tables import from_micros, micros

GOLDEN = Path(__file__).with_name("golden") / "schema1.json"
"""One full document of each kind, as schema 1 wrote them. If a change of the model makes one of them invalid, raise
SCHEMA_VERSION and convert old states, or give the new field a default; do not write this file again."""


@pytest.mark.parametrize("name", list(full_values()))
def test_a_full_value_reads_back_as_it_was(name: str) -> None:
    value = full_values()[name]
    again = decode(type(value), encode(value))
    assert encode(again) == encode(value)
    if name != "Measurement":  # holds NaN, which is not equal to itself
        assert again == value


@pytest.mark.parametrize("name", list(full_values()))
def test_what_schema_1_wrote_still_reads(name: str) -> None:
    stored = json.loads(GOLDEN.read_text())[name]
    again = decode(type(full_values()[name]), json.dumps(stored))
    assert covers(json.loads(encode(again)), stored)


def covers(now: Any, then: Any) -> bool:
    """Whether all of `then` is in `now`; fields that came later have defaults."""
    if isinstance(then, dict):
        return all(key in now and covers(now[key], value) for key, value in then.items())
    return bool(now == then)


def test_numbers_and_durations_have_one_form() -> None:
    samples = tuple(Sample(value=v) for v in (math.nan, math.inf, -math.inf, 1.0))
    document = json.loads(encode(measurement(samples=samples, took=timedelta(milliseconds=1500))))
    assert [s["value"] for s in document["samples"]] == ["NaN", "Infinity", "-Infinity", 1.0]
    assert document["took"] == 1.5
    assert document["at"] == "2026-03-01T12:00:00.123456Z"


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_number_survives(value: float) -> None:
    again = decode(Measurement, encode(measurement(samples=(Sample(value=value),)))).samples[0].value
    assert (
        math.isnan(again) if math.isnan(value) else (again, math.copysign(1, again)) == (value, math.copysign(1, value))
    )


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_every_duration_survives_to_the_microsecond(blind: timedelta) -> None:
    assert decode(Watch, encode(watch(blind=blind))).blind == blind


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_time_survives_in_documents_and_keys(when: datetime) -> None:
    assert decode(Watch, encode(watch(opened_at=when))).opened_at == when
    assert from_micros(micros(when)) == when


@given(st.text(st.characters()))
def test_every_text_can_be_stored(text: str) -> None:
    again = decode(EvidenceItem, encode(logs(text))).text
    assert again == text.encode("utf-8", "replace").decode("utf-8")
