"""Sentry, with a local server in its place: what is reported arrives, and nothing secret with it."""

import gzip
import json
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from tests.waiting import within
from watchdog.errors import BadConfig, Refused, Unavailable
from watchdog.model.incident import Event, EventKind
from watchdog.report.sentry import INCIDENT_EVENTS, Sentry, SentryReceiver

TOKEN = "s3cr3t-token-value"


def event(kind=EventKind.failed, message="shop NOT recovered"):
    return Event(
        id="evt_1",
        kind=kind,
        at=datetime(2026, 11, 23, 14, 3, tzinfo=UTC),
        target="shop",
        environment="production",
        incident="inc-1",
        revision="r8",
        message=message,
        detail={"rules": ["latency-p99"], "reason": f"p99 {float('nan')} with {TOKEN}", "value": float("nan")},
    )


@pytest.fixture
def sentry(httpserver):
    made = Sentry(SecretStr(f"http://publickey@127.0.0.1:{httpserver.port}/42"), "staging", secrets=[TOKEN])
    yield made
    made.close()


def answering(httpserver, status=200):
    httpserver.expect_request("/api/42/envelope/", method="POST").respond_with_json({}, status=status)


def envelopes(httpserver):
    """The raw text of all that arrived, and the events in it."""
    bodies = [
        gzip.decompress(r.data) if r.headers.get("content-encoding") == "gzip" else r.data for r, _ in httpserver.log
    ]
    lines = [json.loads(line) for body in bodies for line in body.splitlines()]
    return b"".join(bodies).decode(), [line for line in lines if "event_id" in line and "platform" in line]


def test_an_incident_arrives_with_its_tags_and_groups_by_rule(httpserver, sentry):
    answering(httpserver)
    SentryReceiver(sentry).send(event())
    text, (sent,) = envelopes(httpserver)
    assert sent["message"] == "shop (production): shop NOT recovered"
    assert sent["level"] == "fatal"
    assert sent["tags"]["rule"] == "latency-p99"
    assert sent["tags"]["incident"] == "inc-1"
    assert sent["fingerprint"] == ["watchdog", "shop", "production", "incident.failed", "latency-p99"]
    assert sent["environment"] == "staging"
    assert sent["server_name"]
    assert TOKEN not in text


def test_a_repeat_has_the_same_id_so_that_sentry_drops_it(httpserver, sentry):
    answering(httpserver)
    for _ in range(2):
        SentryReceiver(sentry).send(event())
    _, sent = envelopes(httpserver)
    assert len({one["event_id"] for one in sent}) == 1


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind not in INCIDENT_EVENTS])
def test_other_events_are_not_sent(httpserver, sentry, kind):
    SentryReceiver(sentry).send(event(kind))
    assert httpserver.log == []


def test_an_unexpected_error_arrives_without_locals_or_secrets(httpserver, sentry):
    answering(httpserver)

    def fails():
        password = TOKEN  # a local variable that must not be sent
        raise RuntimeError(f"could not use {password} at postgres://app:pa55word@db/shop")

    try:
        fails()
    except RuntimeError as error:
        sentry.capture(error, where="engine")
    sentry.close()
    text, (sent,) = envelopes(httpserver)
    assert sent["exception"]["values"][0]["value"] == "could not use *** at postgres://app:***@db/shop"
    assert sent["tags"] == {"where": "engine"}
    assert not sent.get("breadcrumbs", {}).get("values")
    assert "vars" not in text
    assert "sys.argv" not in text
    assert TOKEN not in text


@pytest.mark.parametrize(("status", "expected"), [(500, Unavailable), (503, Unavailable), (401, Refused)])
def test_what_sentry_does_not_take_is_not_counted_as_sent(httpserver, sentry, status, expected):
    answering(httpserver, status)
    with pytest.raises(expected):
        SentryReceiver(sentry).send(event())


def test_a_bad_dsn_is_said_when_it_is_configured():
    with pytest.raises(BadConfig, match="sentry: its dsn is not valid"):
        Sentry(SecretStr("not a dsn"))


def test_without_a_dsn_the_sdk_is_not_even_imported():
    import subprocess
    import sys

    code = "import sys, watchdog.report.sentry; sys.exit('sentry_sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=within(60)).returncode == 0
