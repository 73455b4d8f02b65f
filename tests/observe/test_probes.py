"""Probes: what a service answers is a 1 or a 0; what says nothing about the service is an error."""

from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tests.observe.wire import closed_port, http
from watchdog.model.rule import CommandMeasure, HttpMeasure, PrometheusMeasure, TcpMeasure
from watchdog.observe.probes import CommandProbe, HttpProbe, TcpProbe

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHORT = timedelta(seconds=0.3)
LONG = timedelta(seconds=200)


def one(observation):
    """The value and labels of the only sample."""
    assert observation.error is None, observation.error
    (sample,) = observation.samples
    return sample.value, sample.labels


def get(url, **more):
    return HttpProbe().measure(HttpMeasure(url=url, **{"timeout": LONG, **more}), NOW)


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "302 Found", "399 Odd"])
def test_http_passes(wire, status):
    wire.says(http("", status))
    observation = get(wire.url + "/healthz")
    assert one(observation) == (1, {"status": status[:3]})
    assert observation.query == f"GET {wire.url}/healthz"


@pytest.mark.parametrize(
    ("status", "accepted", "reason"),
    [
        ("503 Service Unavailable", (), "it answered 503, not 200 to 399"),
        ("404 Not Found", (), "it answered 404, not 200 to 399"),
        ("200 OK", (401, 403), "it answered 200, not 401 or 403"),
    ],
)
def test_http_answers_another_status(wire, status, accepted, reason):
    wire.says(http("", status))
    assert one(get(wire.url, status=accepted)) == (0, {"status": status[:3], "reason": reason})


def test_http_accepts_what_the_rule_says(wire):
    wire.says(http("", "401 Unauthorized"))
    assert one(get(wire.url, status=(401,)))[0] == 1


def test_http_contains(wire):
    wire.says(http('{"státus": "ok"}'))
    assert one(get(wire.url, contains='"státus": "ok"'))[0] == 1
    value, labels = one(get(wire.url, contains="ready"))
    assert (value, labels["reason"]) == (0, "its answer does not contain 'ready'")


def test_http_contains_looks_at_the_first_mib(wire):
    wire.says(http("x" * 2_000_000 + "ready"))
    value, labels = one(get(wire.url, contains="ready"))
    assert (value, labels["reason"]) == (0, "the first MiB of its answer does not contain 'ready'")


def test_http_sends_method_and_headers(wire):
    wire.says(http(""))
    get(wire.url, method="POST", headers={"Host": "shop.example", "Authorization": "Bearer hunter2"})
    assert wire.requests[0].startswith(b"POST / HTTP/1.1\r\n")
    assert b"Host: shop.example\r\n" in wire.requests[0]


def test_http_head(wire):
    wire.says(http("", length=500))
    assert one(get(wire.url, method="HEAD"))[0] == 1


def test_http_refused_is_a_zero():
    assert one(get(f"http://127.0.0.1:{closed_port()}/")) == (0, {"reason": "connection refused"})


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"])
def test_http_drips_are_a_zero(wire, start):
    wire.drips(b"A: b\r\n", start)
    assert one(get(wire.url, timeout=SHORT)) == (0, {"reason": "no whole answer within 0.3s"})


def test_http_resets_and_nonsense_are_zeros(wire):
    wire.resets()
    assert one(get(wire.url))[0] == 0
    wire.says(b"whatever\r\n\r\n")
    assert one(get(wire.url)) == (0, {"reason": "the answer is not valid HTTP"})


@pytest.mark.parametrize("url", ["localhost:80", "http://", "http://no-such-host.invalid/"])
def test_http_that_cannot_be_asked_is_an_error(url):
    observation = get(url)
    assert observation.samples == ()
    assert "could not be asked" in observation.error


def test_http_never_shows_the_password():
    observation = get(f"http://u:hunter2@127.0.0.1:{closed_port()}/?api_key=hunter2")
    assert "hunter2" not in observation.model_dump_json()


def connect(address, timeout=LONG):
    return TcpProbe().measure(TcpMeasure(address=address, timeout=timeout), NOW)


def test_tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        observation = connect(f"127.0.0.1:{port}")
        assert one(observation) == (1, {})
        assert observation.query == f"tcp 127.0.0.1:{port}"
    assert one(connect(f"127.0.0.1:{port}")) == (0, {"reason": "connection refused"})


def test_tcp_that_does_not_accept_is_a_zero():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]  # the queue is full: the kernel drops further SYNs
        try:
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(address)
            value, labels = one(connect(f"127.0.0.1:{address[1]}", SHORT))
        finally:
            for client in waiting:
                client.close()
    assert (value, labels) in [
        (0, {"reason": "no connection within 0.3s"}),
        (0, {"reason": "no answer within 0.3s"}),
    ]


def test_tcp_ipv6():
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 address ::1 here")
    with listener:
        assert one(connect(f"[::1]:{listener.getsockname()[1]}"))[0] == 1


@pytest.mark.parametrize(
    "address",
    ["", "localhost", ":80", "localhost:", "localhost:http", "h:0", "h:65536", "::1:80", "h:\uff18\uff10", "h:-1"],
)
def test_tcp_addresses_that_are_none(address):
    observation = connect(address)
    assert observation.samples == ()
    assert "is not host:port" in observation.error


def test_tcp_unknown_name_is_an_error():
    assert "could not be looked up" in connect("no-such-host.invalid:80").error


def program(code, timeout=LONG, output="exit"):
    measure = CommandMeasure(argv=(sys.executable, "-c", code), timeout=timeout, output=output)
    return CommandProbe({"API_TOKEN": "hunter2"}).measure(measure, NOW)


def test_command_exit_codes():
    assert one(program("print('fine')")) == (1, {})
    value, labels = one(program("import sys; sys.exit('disk is full')"))
    assert (value, labels) == (0, {"reason": "it exited with code 1: disk is full"})


def test_command_out_of_time_is_a_zero():
    value, labels = one(program("import time; time.sleep(60)", SHORT))
    assert value == 0
    assert labels["reason"].startswith("it did not finish in time")


@pytest.mark.parametrize(("printed", "value"), [("42", 42), (" -1.5e3\n", -1500), ("inf", float("inf"))])
def test_command_numbers(printed, value):
    assert one(program(f"print({printed!r})", output="number")) == (value, {})


@pytest.mark.parametrize(
    "code", ["print('many')", "pass", "print(1); import sys; sys.exit(1)", "import time; time.sleep(9)"]
)
def test_command_without_a_number_is_an_error(code):
    observation = program(code, SHORT if "sleep" in code else LONG, output="number")
    assert observation.samples == ()
    assert "no number from" in observation.error


def test_command_that_is_not_there_is_an_error():
    observation = CommandProbe().measure(CommandMeasure(argv=("/no/such/probe",)), NOW)
    assert observation.samples == ()
    assert "no such program" in observation.error


def test_command_sees_no_secrets_and_tells_none(monkeypatch):
    monkeypatch.setenv("WATCHDOG_TOKEN", "s3cret-s3cret")
    code = "import os, sys; sys.exit(repr([os.environ.get('WATCHDOG_TOKEN'), os.environ['API_TOKEN'] + ' it is']))"
    assert one(program(code)) == (0, {"reason": "it exited with code 1: [None, '*** it is']"})


def test_check_notes_a_service_that_is_down():
    port = closed_port()
    measure = TcpMeasure(address=f"127.0.0.1:{port}")
    assert TcpProbe().check(measure) == [f"note: tcp 127.0.0.1:{port} fails now: connection refused"]
    assert "is not host:port" in TcpProbe().check(TcpMeasure(address="x"))[0]
    assert CommandProbe().check(CommandMeasure(argv=("true",))) == []
    assert "note: GET" in HttpProbe().check(HttpMeasure(url=f"http://127.0.0.1:{port}/"))[0]


@pytest.mark.parametrize("probe", [HttpProbe(), TcpProbe(), CommandProbe()])
def test_another_kind_is_a_mistake_of_ours(probe):
    with pytest.raises(TypeError):
        probe.measure(PrometheusMeasure(query="up"), NOW)
