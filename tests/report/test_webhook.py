"""Webhooks against a real HTTP server: signed, bounded, and clear about what comes next."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook
from werkzeug import Response

from tests.waiting import within
from watchdog.clock import SystemClock
from watchdog.errors import BadConfig, Refused, Unavailable
from watchdog.model.incident import Event, EventKind
from watchdog.report.base import Busy
from watchdog.report.webhook import WebhookReceiver, body_of, retry_after

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
PATH = "/hook/T0KEN-IN-THE-PATH"


def event(**detail):
    return Event(
        id="evt_1",
        kind=EventKind.recovered,
        at=datetime(2026, 11, 23, 14, 3, tzinfo=UTC),
        target="shop",
        environment="production",
        revision="r8",
        message="shop recovered on r7",
        detail=detail,
    )


def receiver(server, *, secret=SECRET, path=PATH, timeout=50.0):
    return WebhookReceiver(
        "oncall",
        server.url_for(path),
        clock=SystemClock(),
        secret=SecretStr(secret) if secret else None,
        timeout=timedelta(seconds=timeout),
    )


def test_what_arrives_verifies_with_the_standard_library_of_the_specification(httpserver):
    httpserver.expect_request(PATH, method="POST").respond_with_data("ok")
    receiver(httpserver).send(event(rules=["latency-p99"]))
    request, _ = httpserver.log[0]
    Webhook(SECRET).verify(request.data, dict(request.headers))
    assert request.headers["webhook-id"] == "evt_1"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.headers["user-agent"].startswith("deploy-watchdog/")
    assert json.loads(request.data) == body_of(event(rules=["latency-p99"]))


def test_a_repeat_has_the_same_id_and_body(httpserver):
    httpserver.expect_request(PATH).respond_with_data("ok")
    oncall = receiver(httpserver)
    oncall.send(event())
    oncall.send(event())
    (first, _), (second, _) = httpserver.log
    assert (first.headers["webhook-id"], first.data) == (second.headers["webhook-id"], second.data)


def test_without_a_secret_it_is_not_signed(httpserver):
    httpserver.expect_request(PATH).respond_with_data("ok")
    receiver(httpserver, secret=None).send(event())
    assert "webhook-signature" not in httpserver.log[0][0].headers


def test_what_json_cannot_hold_is_sent_as_strings():
    detail = {
        "value": float("nan"),
        "worst": float("inf"),
        "least": float("-inf"),
        "took": timedelta(seconds=2),
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "kind": EventKind.failed,
        "token": SecretStr("hunter2"),
        "series": ({"a": 1},),
    }
    assert body_of(event(**detail))["data"]["detail"] == {
        "value": "NaN",
        "worst": "Infinity",
        "least": "-Infinity",
        "took": 2.0,
        "at": "2026-01-02T00:00:00Z",
        "kind": "incident.failed",
        "token": "***",
        "series": [{"a": 1}],
    }


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_4xx_is_a_no(httpserver, status):
    httpserver.expect_request(PATH).respond_with_data("no such channel\x1b[0m", status=status)
    with pytest.raises(Refused, match=rf"answered {status} .*: no such channel"):
        receiver(httpserver).send(event())


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503])
def test_a_5xx_and_a_busy_4xx_are_tried_again(httpserver, status):
    httpserver.expect_request(PATH).respond_with_data("", status=status)
    with pytest.raises(Unavailable, match=f"answered {status}"):
        receiver(httpserver).send(event())


def test_retry_after_says_how_long(httpserver):
    httpserver.expect_request(PATH).respond_with_data("", status=429, headers={"Retry-After": "120"})
    with pytest.raises(Busy) as raised:
        receiver(httpserver).send(event())
    assert raised.value.retry_after == timedelta(seconds=120)


def test_retry_after_may_be_a_date_or_nonsense():
    clock = SimpleNamespace(now=lambda: datetime(2026, 11, 23, 14, 0, tzinfo=UTC))
    assert retry_after("Mon, 23 Nov 2026 14:01:00 GMT", clock) == timedelta(seconds=60)
    assert retry_after("Mon, 23 Nov 2026 13:00:00 GMT", clock) == timedelta(0)
    assert retry_after("soon", clock) is None
    assert retry_after("", clock) is None
    assert retry_after("9" * 400, clock) == timedelta(days=1)


def test_redirects_are_not_followed(httpserver):
    elsewhere = {"Location": httpserver.url_for("/other")}
    httpserver.expect_request(PATH).respond_with_data("", status=302, headers=elsewhere)
    with pytest.raises(Refused, match="redirects are not followed"):
        receiver(httpserver).send(event())
    assert len(httpserver.log) == 1


def test_a_slow_receiver_is_given_its_time_and_no_more(httpserver):
    import threading

    release = threading.Event()

    def slow(_request):
        release.wait(within(10))
        return Response("late")

    httpserver.expect_request(PATH).respond_with_handler(slow)
    try:
        with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s"):
            receiver(httpserver, timeout=0.2).send(event())
    finally:
        release.set()


def test_a_huge_answer_is_not_read(httpserver):
    httpserver.expect_request(PATH).respond_with_data(b"x" * 5_000_000, status=500)
    with pytest.raises(Unavailable) as raised:
        receiver(httpserver).send(event())
    assert len(str(raised.value)) < 400


def test_nobody_listening_is_tried_again_and_errors_show_no_secret(httpserver):
    httpserver.expect_request(PATH).respond_with_data(f"no route {PATH}", status=404)
    with pytest.raises(Refused) as refused:
        receiver(httpserver).send(event())
    dead = WebhookReceiver(
        "oncall", "http://user:pa55word@127.0.0.1:1/T0KEN", clock=SystemClock(), timeout=timedelta(seconds=1)
    )
    with pytest.raises(Unavailable, match=r"http://127.0.0.1:1 could not be reached \(Connection refused\)") as down:
        dead.send(event())
    for raised in (refused, down):
        assert "T0KEN" not in str(raised.value)
        assert "pa55word" not in str(raised.value)


@pytest.mark.parametrize("secret", ["", "short", "whsec_c2hvcnQ=", "not base64!" * 5, "whsec_" + "A" * 200])
def test_a_weak_secret_is_refused_with_a_way_to_make_one(httpserver, secret):
    with pytest.raises(BadConfig, match="openssl rand -base64 32") as raised:
        WebhookReceiver(
            "oncall", "http://127.0.0.1/", clock=SystemClock(), secret=SecretStr(secret), timeout=timedelta(seconds=1)
        )
    assert not secret or secret not in str(raised.value)


@pytest.mark.parametrize("url", ["ftp://x/", "example.org/hook", "http://", "http://x:99999/"])
def test_a_url_that_cannot_work_is_refused_when_it_is_configured(url):
    with pytest.raises(BadConfig, match="receiver oncall"):
        WebhookReceiver("oncall", url, clock=SystemClock(), timeout=timedelta(seconds=1))
