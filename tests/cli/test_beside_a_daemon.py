"""The commands while `watchdog run` guards the same targets: the daemon acts, the command asks and shows."""

from __future__ import annotations

import pytest
import requests

from tests.cli.shop import TOKEN, Shop
from tests.waiting import wait_until, within

pytestmark = pytest.mark.slow


def standing(shop: Shop) -> dict[str, object]:
    (target,) = shop.run("status", "-o", "json").json["targets"]
    return dict(target)


def test_a_bad_deploy_is_rolled_back_without_anybody(shop: Shop) -> None:
    with shop.daemon():
        wait_until(lambda: standing(shop)["revision"] == "v1", "v1 is seen")
        shop.service.deploy("v2")
        shop.service.crash()
        wait_until(lambda: shop.service.acts == ["v1"], "v2 is rolled back")
        wait_until(lambda: standing(shop)["state"] == "idle", "it is proven")
    (incident,) = shop.run("incidents", "-o", "json").json["incidents"]
    assert (incident["state"], incident["rules"]) == ("recovered", ["crash-loop"])
    story = shop.run("explain", "last").out
    assert "2 for" in story
    assert "value >= 2" in story


def test_a_person_asks_and_the_daemon_acts_once(shop: Shop, httpserver) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    with shop.daemon(receivers={"oncall": httpserver.url_for("/hook")}):
        wait_until(lambda: standing(shop)["revision"] == "v1", "v1 is seen")
        shop.service.deploy("v2")
        wait_until(lambda: standing(shop)["state"] == "idle" and standing(shop)["revision"] == "v2", "v2 passed")
        preview = shop.run("rollback", "shop", "--dry-run")
        assert preview.code == 0, preview.out
        assert shop.service.acts == []
        done = shop.run("rollback", "shop")
        assert done.code == 0, done.out + done.err
        assert shop.service.acts == ["v1"]
        wait_until(lambda: any(r.json["type"] == "incident.recovered" for r, _ in httpserver.log), "people are told")
    told = [request.headers["webhook-id"] for request, _ in httpserver.log]
    assert len(told) == len(set(told)), "the command and the daemon never both send one"


def test_pause_and_resume_are_the_daemons_at_once(shop: Shop) -> None:
    with shop.daemon():
        wait_until(lambda: standing(shop)["revision"] == "v1", "v1 is seen")
        shop.run("pause", "shop", "--reason", "load test")
        shop.service.deploy("v2")
        shop.service.crash()
        wait_until(lambda: shop.run("incidents", "-o", "json").json["incidents"], "the crash is seen")
        wait_until(lambda: not shop.run("incidents", "-o", "json").json["incidents"][0]["open"], "it is blocked")
        assert shop.service.acts == []
        assert shop.run("explain", "last", "-o", "json").json["objection"] == "paused"
        assert shop.run("resume", "shop").code == 0
        assert shop.run("rollback", "shop").code == 0
        assert shop.service.acts == ["v1"]


def test_a_held_deploy_is_approved(shop: Shop) -> None:
    with shop.daemon(action="hold", bake_time="60s"):
        wait_until(lambda: standing(shop)["revision"] == "v1", "v1 is seen")
        shop.service.set(sick=["v2"])
        shop.service.deploy("v2")
        wait_until(lambda: standing(shop)["state"] == "held", "it is held")
        assert shop.run("approve", "shop").out == "shop v2 is known good, approved by ada\n"
        wait_until(lambda: standing(shop)["state"] == "idle", "the hold is over")
        assert standing(shop)["known_good"]


def test_the_api_says_what_the_commands_say(shop: Shop) -> None:
    with shop.daemon() as url:
        wait_until(lambda: standing(shop)["revision"] == "v1", "v1 is seen")
        assert requests.get(f"{url}/healthz", timeout=within(5)).json()["ok"]
        metrics = requests.get(f"{url}/metrics", timeout=within(5)).text
        assert "watchdog" in metrics
        assert TOKEN not in metrics
