"""The assembly: what a config asks for is there, what it does not ask for is not loaded, all of it is given back."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.shop import HOOK_SECRET, REPOSITORY, SECRETS, Shop
from tests.waiting import wait_until, within
from watchdog.app import build
from watchdog.errors import StoreDamaged
from watchdog.model.incident import Event, EventKind
from watchdog.settings import load
from watchdog.testing import EPOCH, FakeClock


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_only_what_the_config_asks_for(shop: Shop) -> None:
    app = build(load(shop.config, SECRETS))
    assert set(app.platforms) == set(app.actors) == {"command"}
    assert "prometheus" not in app.gauges
    assert app.sentry is None
    assert app.outbox.names == ()
    app.close()


def test_prometheus_answers_queries_and_alerts(shop: Shop) -> None:
    shop.write(
        extra='sources: {prometheus: {url: "http://127.0.0.1:1", password: {env: PROMETHEUS_PASSWORD}, username: u}}\n'
    )
    app = build(load(shop.config, SECRETS))
    assert app.gauges["prometheus"] is app.gauges["alert"]
    app.close()


def test_only_some_targets(shop: Shop) -> None:
    shop.write({"shop": "production", "web": "staging"})
    app = build(load(shop.config, SECRETS), only=["web"])
    assert [t.name for t in app.targets] == ["web"]
    app.close()


def test_notices_go_to_the_targets_receivers(shop: Shop) -> None:
    shop.write(receivers={"oncall": "http://127.0.0.1:1/"})
    app = build(load(shop.config, SECRETS), FakeClock())
    event = Event(id="e", kind=EventKind.paused, at=EPOCH, target="shop", environment="production", message="m")
    app.actions.pause("shop", None, "x", "ada")
    (notice,) = app.store.due_notices(EPOCH)
    assert (notice.receiver, notice.event.kind) == ("oncall", event.kind)
    app.close()


def test_what_cannot_be_signed_is_not_served_here_but_still_noticed(shop: Shop) -> None:
    shop.write(receivers={"oncall": "http://127.0.0.1:1/"})
    app = build(load(shop.config, {}, secrets=False), FakeClock())
    assert app.outbox.names == ()
    app.actions.pause("shop", None, "x", "ada")
    assert [n.receiver for n in app.store.due_notices(EPOCH)] == ["oncall"]
    app.close()


def test_its_representation_has_no_secret(shop: Shop) -> None:
    shop.write(receivers={"oncall": "http://127.0.0.1:1/"}, http=1)
    app = build(load(shop.config, SECRETS))
    assert HOOK_SECRET not in repr(app.settings)
    assert SECRETS["WATCHDOG_TOKEN"] not in repr(app.settings)
    app.close()


def test_nothing_is_left_running(shop: Shop) -> None:
    before = set(threading.enumerate())
    app = build(load(shop.config, SECRETS))
    app.engine.tick(app.clock.now())
    app.close()
    wait_until(lambda: set(threading.enumerate()) <= before, "its threads to end")


def test_a_damaged_state_is_said_at_once(shop: Shop) -> None:
    (shop.folder / "state.db").write_bytes(b"no database" * 500)
    with pytest.raises(StoreDamaged, match=r"state\.db"):
        build(load(shop.config, SECRETS))


def test_what_is_not_used_is_not_loaded(shop: Shop) -> None:
    code = f"""
import sys
from pathlib import Path
from watchdog.app import build
from watchdog.settings import load
build(load(Path({str(shop.config)!r}), {{}})).close()
heavy = ["docker", "prometheus_api_client", "kubernetes", "psycopg", "numpy", "pandas", "scipy", "fastapi", "apprise"]
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=within(60), check=True
    )
    assert done.stdout == "[]\n"
