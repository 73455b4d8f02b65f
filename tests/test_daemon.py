"""The long-running process: it turns, answers, delivers, survives a state that is away, and ends when told to."""

from __future__ import annotations

import itertools
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cli.shop import SECRETS, Shop, answers, ended, free_port
from tests.waiting import wait_until, within
from watchdog import daemon as daemon_module
from watchdog.app import App, build
from watchdog.daemon import Daemon
from watchdog.errors import BadConfig, StoreDamaged, StoreUnavailable
from watchdog.observe.command import CommandPlatform
from watchdog.settings import load

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@contextmanager
def running(shop: Shop, **changes: Any) -> Iterator[tuple[Daemon, App]]:
    """A daemon in this process, on a free port; nothing of it is left afterwards."""
    before = set(threading.enumerate())
    shop.write(http=free_port(), **changes)
    app = build(load(shop.config, SECRETS))
    daemon = Daemon(app)
    daemon.start()
    try:
        yield daemon, app
    finally:
        daemon.close()
    wait_until(lambda: not set(threading.enumerate()) - before, "its threads are gone")


def test_it_turns_and_answers(shop: Shop) -> None:
    with running(shop) as (daemon, _):
        wait_until(lambda: daemon.ready() == (True, "1 targets"), "the first look")
        for path in ("/healthz", "/readyz"):
            answer = requests.get(f"{daemon.url}{path}", timeout=within(5))
            assert (answer.status_code, answer.json()["ok"]) == (200, True)
        metrics = requests.get(f"{daemon.url}/metrics", timeout=within(5)).text
        assert "watchdog_" in metrics
        assert daemon.alive()[0]
    assert answers(f"{daemon.url}/healthz") is None


def test_a_deploy_wakes_it_long_before_the_sweep(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CommandPlatform, "resyncs", True)  # such a platform is not swept: only its word counts
    with running(shop) as (_, app):
        wait_until(lambda: app.store.bookmark("shop") is not None, "v1 is seen")
        shop.service.deploy("v2")
        wait_until(lambda: app.store.watches("shop"), "the deploy is seen")
        assert app.store.watches("shop")[0].revision == "v2"


def test_without_http_it_has_no_url(shop: Shop) -> None:
    app = build(load(shop.config, SECRETS))
    daemon = Daemon(app)
    daemon.start()
    try:
        assert daemon.url is None
        wait_until(lambda: app.engine.looked("shop"), "it turns all the same")
    finally:
        daemon.close()


def test_a_platform_that_is_away_makes_it_not_ready_but_alive(shop: Shop) -> None:
    shop.service.set(status_fails="no route to host")
    with running(shop) as (daemon, _):
        wait_until(lambda: "no route to host" in daemon.ready()[1], "it says why")
        assert answers(f"{daemon.url}/readyz") == 503
        assert answers(f"{daemon.url}/healthz") == 200
        shop.service.set(status_fails="")
        wait_until(lambda: daemon.ready()[0], "it is ready again", seconds=40)


def test_a_state_that_is_away_makes_it_not_ready_and_it_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_module, "CALM_SECONDS", 1.0)
    with running(shop) as (daemon, app):
        wait_until(lambda: app.engine.looked("shop"), "the first look")

        def away(*_: object) -> None:
            raise StoreUnavailable("reading the state: the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(app.store, "open_watches", away)
            wait_until(lambda: not daemon.ready()[0], "it notices")
            assert daemon.ready() == (False, "reading the state: the disk is full")
            assert daemon.alive()[0]
        wait_until(lambda: daemon.ready()[0], "it goes on")


def test_a_disk_that_is_full_is_said_once_though_turns_that_only_read_succeed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = build(load(shop.config, SECRETS))
    daemon, turns = Daemon(app), itertools.count()

    def every_other(*_: object) -> None:
        if next(turns) % 2 == 0:
            raise StoreUnavailable("storing a step: the disk is full")

    monkeypatch.setattr(app.engine, "tick", every_other)
    with caplog.at_level(logging.WARNING, "watchdog.daemon"):
        for _ in range(10):
            daemon._one_turn()
    assert [r.message for r in caplog.records] == ["no turn without the state: storing a step: the disk is full"]
    assert daemon.ready() == (False, "storing a step: the disk is full")
    monkeypatch.setattr(daemon_module, "CALM_SECONDS", 0.0)
    daemon._one_turn()
    daemon._one_turn()
    assert caplog.records[-1].message == "the state can be used again"
    app.close()


def test_a_damaged_state_ends_it_with_that_error(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    app = build(load(shop.config, SECRETS))

    def damaged() -> None:
        raise StoreDamaged("state.db is damaged: keep it, and start afresh")

    monkeypatch.setattr(app.store, "open_watches", damaged)
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with pytest.raises(StoreDamaged, match="start afresh"):
            Daemon(app).run()
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def test_an_address_in_use_is_a_clear_error(shop: Shop) -> None:
    with running(shop) as (daemon, _):
        assert daemon.url is not None
        (shop.folder / "second").mkdir()
        second = Shop(shop.folder / "second")
        second.write(http=int(daemon.url.rsplit(":", 1)[1]))
        app = build(load(second.config, SECRETS))
        with pytest.raises(BadConfig, match=r"http.listen: cannot listen on 127.0.0.1:\d+: Address already in use"):
            Daemon(app).start()
        app.close()


def test_a_receiver_that_is_down_delays_nobody(shop: Shop, httpserver: Any) -> None:
    httpserver.expect_request("/up").respond_with_data("")
    receivers = {"down": f"http://127.0.0.1:{free_port()}/", "up": httpserver.url_for("/up")}
    with running(shop, receivers=receivers) as (_, app):
        wait_until(lambda: app.store.bookmark("shop") is not None, "v1 is seen")
        shop.service.deploy("v2")
        shop.service.crash()
        wait_until(lambda: shop.service.acts == ["v1"], "it is rolled back")
        wait_until(lambda: app.store.watches("shop")[0].state.value == "recovered", "it is proven")
        wait_until(lambda: len(httpserver.log) >= 5, "the other one is told all")
        waiting, given_up = app.store.queue()
        assert waiting >= 5
        assert given_up == 0
    told = [request.json["type"] for request, _ in httpserver.log]
    assert told == ["deploy.seen", "rule.tripped", "rollback.started", "rollback.finished", "incident.recovered"]


def test_it_ends_in_the_middle_of_a_turn(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that wants the next one at once, while the scheduler is being stopped: neither may wait for the other."""
    in_a_turn, go_on = threading.Event(), threading.Event()
    with running(shop) as (daemon, app):
        tick, shutdown = app.engine.tick, daemon._scheduler.shutdown

        def slow(now: datetime) -> None:
            in_a_turn.set()
            go_on.wait(within(10))
            app.on_done[0]()
            tick(now)

        def ending(**how: bool) -> None:
            threading.Timer(0.3, go_on.set).start()  # so that it is in the middle of this
            shutdown(**how)

        monkeypatch.setattr(app.engine, "tick", slow)
        monkeypatch.setattr(daemon._scheduler, "shutdown", ending)
        assert in_a_turn.wait(within(10))
        closing = threading.Thread(target=daemon.close)
        closing.start()
        closing.join(within(15))
        assert not closing.is_alive()
        daemon.close = lambda: None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(shop: Shop, number: int) -> None:
    port = free_port()
    shop.write(http=port)
    process = shop.start("run")
    try:
        wait_until(
            lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/readyz") == 200, "it is ready"
        )
        process.send_signal(number)
        _, log = ended(process)
    finally:
        process.kill()
    assert process.returncode == 0, log
    assert "stopping" in log
    assert "stopped" in log
    assert "Traceback" not in log
