"""The server on its thread: it starts, says when it cannot, and stops."""

import threading

import pytest
import requests

from tests.waiting import within
from watchdog.errors import BadConfig
from watchdog.web.server import Server


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_it_serves_until_it_is_stopped():
    server = Server(app, "127.0.0.1", 0)
    server.start()
    assert requests.get(server.url, timeout=within(10)).text == "ok"
    server.stop()
    server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=within(1))
    assert not any(thread.name == "http" for thread in threading.enumerate())


def test_a_port_in_use_is_said_at_once_with_a_way_out():
    first = Server(app, "127.0.0.1", 0)
    first.start()
    try:
        with pytest.raises(BadConfig, match=f"cannot listen on 127.0.0.1:{first.port}: Address already in use; choose"):
            Server(app, "127.0.0.1", first.port).start()
    finally:
        first.stop()


def test_an_address_of_another_machine_is_said():
    with pytest.raises(BadConfig, match=r"cannot listen on 192\.0\.2\.1"):
        Server(app, "192.0.2.1", 0).start()


def test_stopping_what_never_started_is_fine():
    Server(app, "127.0.0.1", 0).stop()
