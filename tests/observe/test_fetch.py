"""Everything a server can do wrong ends in time, in words, and without filling memory."""

from __future__ import annotations

import gzip
import threading
from datetime import timedelta

import pytest

from tests.observe.wire import closed_port, http
from tests.waiting import wait_until
from watchdog.observe.fetch import NoAnswer, fetch, shown

SHORT = timedelta(seconds=0.5)
LONG = timedelta(seconds=200)


def failure(url, timeout=LONG, **more) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        fetch(url, timeout=timeout, limit=1000, **more)
    return caught.value


def test_a_good_answer(wire):
    wire.says(http("hello", "503 Sorry"))
    answer = fetch(wire.url + "/x", timeout=LONG, limit=1000)
    assert (answer.status, answer.body, answer.cut, answer.content_type) == (503, b"hello", False, "text/plain")
    assert b"GET /x HTTP/1.1" in wire.requests[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "data"),
    [
        (b"", b"HTTP/1.1 200 OK\r\nX-Header: y\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Header: yyyyyyyyy\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    ],
    ids=["status line", "headers", "body", "chunks", "body without end"],
)
def test_a_drip_does_not_stretch_the_time_limit(wire, start, data):
    wire.drips(data, start)
    assert str(failure(wire.url, SHORT)) == "no whole answer within 0.5s"  # a drip never ends by itself
    wait_until(lambda: not any(t.name == "within" for t in threading.enumerate()), "its thread to end")


def test_silence(wire):
    wire.hangs()
    error = failure(wire.url, SHORT)
    assert "answer within 0.5s" in str(error)
    assert not error.ours


def test_refused():
    error = failure(f"http://127.0.0.1:{closed_port()}/")
    assert (str(error), error.ours) == ("connection refused", False)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_a_reset_before_the_answer(wire, data):
    wire.resets(data)
    assert str(failure(wire.url)) in ("it reset the connection", "it closed the connection without an answer")


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"], ids=["headers", "body"])
def test_silence_is_told_alike_by_the_sockets_own_limit_and_the_whole_ones(wire, start, monkeypatch):
    wire.hangs(start)
    assert str(failure(wire.url, SHORT)) == "no whole answer within 0.5s"
    monkeypatch.setattr("watchdog.observe.fetch.within", lambda _limit, ask, _abort: ask())
    assert str(failure(wire.url, SHORT)) == "no whole answer within 0.5s"


def test_a_reset_in_the_body(wire):
    wire.resets(http("half", length=100))
    assert str(failure(wire.url)) in ("it reset the connection", "the answer broke off before its end")


def test_a_body_shorter_than_promised(wire):
    wire.says(http("half", length=100))
    assert str(failure(wire.url)) == "the answer broke off before its end"


def test_chunks_that_break_off(wire):
    wire.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    assert not failure(wire.url).ours


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01\x02\x03", b"HTTP/1.1 abc\r\n\r\n"])
def test_no_http_at_all(wire, data):
    wire.says(data)
    assert str(failure(wire.url)) == "the answer is not valid HTTP"


def test_an_endless_answer_is_cut(wire):
    wire.floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 10_000)
    answer = fetch(wire.url, timeout=LONG, limit=100_000)
    assert (len(answer.body), answer.cut) == (100_000, True)


def test_a_compressed_bomb_is_cut(wire):
    bomb = gzip.compress(b"\0" * 50_000_000)
    wire.says(http(bomb).replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1))
    answer = fetch(wire.url, timeout=LONG, limit=100_000)
    assert (len(answer.body), answer.cut) == (100_000, True)


def test_damaged_compression(wire):
    wire.says(http("not gzip at all").replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1))
    assert str(failure(wire.url)) == "the answer's compression is damaged"


def test_a_redirect_is_not_followed(wire):
    wire.says(b"HTTP/1.1 302 Found\r\nLocation: http://example.com/login\r\nContent-Length: 0\r\n\r\n")
    assert fetch(wire.url, timeout=LONG, limit=1000).status == 302
    assert len(wire.requests) == 1


def test_it_asks_once_and_no_proxy(wire, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    wire.says(b"")
    failure(wire.url)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "url",
    ["nonsense", "ftp://127.0.0.1/", "http://", "http://[::1", "http://a b/", "http://127.0.0.1:99999/", "http://é…/"],
)
def test_a_url_that_cannot_be_asked_is_our_trouble(url):
    assert failure(url).ours


def test_a_bad_header_is_our_trouble():
    assert failure("http://127.0.0.1:1/", headers={"X": "a\nb"}).ours


def test_an_unknown_name_is_our_trouble():
    error = failure("http://no-such-host.invalid/")
    assert error.ours
    assert "could not be looked up" in str(error)


def test_tls_to_a_plain_server(wire):
    wire.says(http("x"))
    assert str(failure(wire.url.replace("http", "https"))).startswith("TLS failed: ")


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://u:hunter2@h:9090/p", "http://h:9090/p"),
        ("http://h/?token=hunter2&x=1", "http://h/?token=***&x=1"),
        ("http://[bad:hunter2@h", "http://[bad:***@h"),
        ("http://h/metrics", "http://h/metrics"),
    ],
)
def test_urls_are_shown_without_secrets(url, seen):
    assert shown(url) == seen


def test_errors_hold_no_password(wire):
    wire.resets()
    for url in (wire.url.replace("//", "//u:hunter2@"), "http://u:hunter2@[", "ftp://u:hunter2@h/"):
        assert "hunter2" not in str(failure(url))
