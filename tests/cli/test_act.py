"""rollback, approve, pause and resume, with no daemon: the command does all of it itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.cli.shop import Shop, ended
from tests.waiting import wait_until
from watchdog.store import open_store

pytestmark = pytest.mark.slow


@pytest.fixture
def two(shop: Shop) -> Shop:
    """v1 is known good, v2 runs."""
    assert shop.run("approve", "shop").out == "shop v1 is known good, approved by ada\n"
    shop.service.deploy("v2")
    return shop


class TestRollback:
    def test_back_to_the_newest_known_good(self, two: Shop) -> None:
        done = two.run("rollback", "shop")
        assert done.code == 0, done.err
        assert "shop: recovered: runs as planned and passes for 0.6s: probe-api" in done.out
        assert "watchdog explain inc-" in done.out
        assert two.service.acts == ["v1"]
        assert two.service.running == "v1"

    def test_for_machines_it_is_the_whole_story_and_nothing_else(self, two: Shop) -> None:
        done = two.run("rollback", "shop", "--output", "json")
        assert done.code == 0
        assert done.json["incident"]["state"] == "recovered"
        assert done.json["plan"]["automatic"] is False

    def test_to_a_named_revision(self, two: Shop) -> None:
        two.run("rollback", "shop", "--dry-run")  # which sees v2
        two.service.deploy("v3")
        done = two.run("rollback", "shop", "--to", "v2")
        assert done.code == 0, done.out
        assert two.service.acts == ["v2"]

    def test_to_an_unknown_revision(self, two: Shop) -> None:
        done = two.run("rollback", "shop", "--to", "v9")
        assert done.code == 4
        assert done.err == "shop has no revision 'v9'; known, newest first: v2, v1\n"
        assert two.service.acts == []

    def test_with_nothing_to_go_back_to(self, shop: Shop) -> None:
        done = shop.run("rollback", "shop")
        assert done.code == 1
        assert "shop: blocked: no_safe_revision: no other revision is known to be good" in done.out
        assert shop.service.acts == []

    def test_a_revision_that_the_platform_lost(self, two: Shop) -> None:
        two.service.set(history=["v2"])
        done = two.run("rollback", "shop")
        assert done.code == 1
        assert "cannot_plan: the history of shop does not list revision v1 any more; it lists: v2" in done.out

    def test_one_that_fails_is_told_and_not_tried_again(self, two: Shop) -> None:
        two.service.set(rollback_fails=True)
        done = two.run("rollback", "shop")
        assert done.code == 1
        assert "shop: failed: the rollback command" in done.out
        assert "the deploy script gave up" in done.out
        assert two.service.acts == ["v1"]

    def test_one_that_does_not_heal_is_failed(self, two: Shop) -> None:
        two.write(action="alert")
        two.config.write_text(two.config.read_text().replace("verify_timeout: 100s", "verify_timeout: 1s"))
        two.service.set(sick=["v1"])
        done = two.run("rollback", "shop")
        assert done.code == 1
        assert "NOT recover" in done.out
        assert "probe-api: fail" in done.out

    def test_a_platform_that_does_not_answer(self, two: Shop) -> None:
        two.service.set(status_fails="the pager is on fire")
        done = two.run("rollback", "shop")
        assert done.code == 3
        assert done.err.startswith("shop: the status command")
        assert "the pager is on fire" in done.err

    def test_an_interrupted_one_is_gone_on_with(self, two: Shop) -> None:
        two.run("rollback", "shop", "--dry-run")
        two.service.halt()
        process = two.start("rollback", "shop")
        wait_until(lambda: two.service.acts, "the rollback began")
        process.kill()
        ended(process)
        two.service.go_on()
        wait_until(lambda: two.service.running == "v1", "its program, which nobody waits for, is done")
        # The claim of a killed process holds for half a minute: nobody may act beside it.
        forget_claims(two)
        done = two.run("rollback", "shop")
        assert done.code == 0, done.out + done.err
        assert "a rollback to v1 was begun and is not finished; going on with it" in done.err
        assert "recovered on v1" in done.out
        assert two.service.acts == ["v1"]

    def test_another_goal_waits_for_the_one_begun(self, two: Shop) -> None:
        two.run("rollback", "shop", "--dry-run")
        two.service.halt()
        process = two.start("rollback", "shop")
        wait_until(lambda: two.service.acts, "the rollback began")
        process.kill()
        ended(process)
        forget_claims(two)
        done = two.run("rollback", "shop", "--to", "v2")
        two.service.go_on()
        assert done.code == 4
        assert "a rollback of shop to v1 was begun and is not finished" in done.err


def forget_claims(shop: Shop) -> None:
    """As half a minute later: nobody holds the target any more."""
    store = open_store(f"sqlite:///{shop.folder}/state.db")
    store.release("shop", store.owner("shop", datetime.now(UTC)) or "")
    store.close()


class TestDryRun:
    def test_it_says_what_would_be_done_and_does_nothing(self, two: Shop) -> None:
        done = two.run("rollback", "shop", "--dry-run")
        assert done.code == 0, done.out
        assert "shop: would go from v2 to v1" in done.out
        assert "changes: api" in done.out
        assert "program.py rollback v1" in done.out
        assert two.service.acts == []
        assert two.run("incidents", "-o", "json").json["incidents"] == []

    def test_for_machines(self, two: Shop) -> None:
        preview = two.run("rollback", "shop", "--dry-run", "-o", "json").json
        assert set(preview) == {"target", "from_revision", "to_revision", "draft", "objections"}
        assert set(preview["draft"]) == {"changes", "expected", "commands", "warnings", "objections"}
        assert preview["objections"] == []

    def test_an_objection_is_a_no(self, shop: Shop) -> None:
        done = shop.run("rollback", "shop", "--dry-run", "-o", "json")
        assert done.code == 1
        assert [o["name"] for o in done.json["objections"]] == ["no_safe_revision"]

    def test_what_would_be_condemned_is_left_to_whoever_guards(self, two: Shop) -> None:
        two.service.crash()
        two.run("rollback", "shop", "--dry-run")
        two.run("approve", "shop", "--revision", "v1")
        (target,) = two.run("status", "-o", "json").json["targets"]
        assert target["watch"]["state"] == "arriving"
        assert two.service.acts == []


class TestEnvironments:
    def test_all_targets_of_one(self, shop: Shop) -> None:
        shop.write({"shop": "production", "web": "production", "trial": "staging"})
        for name in ("shop", "web"):
            shop.run("approve", name)
            shop.services[name].deploy("v2")
        done = shop.run("rollback", "--environment", "production")
        assert done.code == 0, done.out + done.err
        assert [shop.services[name].acts for name in ("shop", "web", "trial")] == [["v1"], ["v1"], []]

    def test_one_no_is_a_no_and_the_other_is_done(self, shop: Shop) -> None:
        shop.write({"shop": "production", "web": "production"})
        shop.run("approve", "shop")
        shop.service.deploy("v2")
        done = shop.run("rollback", "-e", "production", "-o", "json")
        assert done.code == 1
        assert shop.service.acts == ["v1"]

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["-e", "moon"], 4, "no target in environment 'moon'"),
            (["-e", "production", "--to", "v1"], 2, "--to names a revision of one target; production has 2: shop, web"),
            ([], 2, "name a TARGET, or all targets of one with --environment NAME"),
            (["shop", "-e", "production"], 2, "name a TARGET, or all targets of one with --environment NAME"),
            (["shoop"], 4, "no target 'shoop'"),
        ],
    )
    def test_who_is_meant_must_be_clear(self, shop: Shop, words: list[str], code: int, said: str) -> None:
        shop.write({"shop": "production", "web": "production"})
        done = shop.run("rollback", *words)
        assert done.code == code
        assert said in done.err


class TestPause:
    def test_until_resumed(self, shop: Shop) -> None:
        assert "paused until `watchdog resume shop`" in shop.run("pause", "shop", "--reason", "load test").out
        (target,) = shop.run("status", "-o", "json").json["targets"]
        assert (target["pause"]["reason"], target["pause"]["by"]) == ("load test", "ada")
        assert shop.run("resume", "shop").out == "shop is guarded again\n"
        assert shop.run("resume", "shop").out == "shop was not paused\n"

    def test_for_a_while(self, shop: Shop) -> None:
        assert "UTC" in shop.run("pause", "shop", "--for", "2h", "--reason", "x").out
        (target,) = shop.run("status", "-o", "json").json["targets"]
        assert target["pause"]["until"] is not None

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (["shop", "--reason", "x", "--for", "soon"], 2, "--for: expected a duration such as 30s, 10m"),
            (["shoop", "--reason", "x"], 4, "no target 'shoop'"),
            (["shop"], 2, "--reason"),
        ],
    )
    def test_wrong(self, shop: Shop, words: list[str], code: int, said: str) -> None:
        done = shop.run("pause", *words)
        assert done.code == code
        assert said in done.err

    def test_a_pause_does_not_bind_a_person(self, two: Shop) -> None:
        two.run("pause", "shop", "--reason", "load test")
        assert two.run("rollback", "shop").code == 0


class TestApprove:
    def test_an_unknown_revision(self, two: Shop) -> None:
        done = two.run("approve", "shop", "--revision", "v9")
        assert (done.code, done.err) == (4, "shop has no revision 'v9'; known, newest first: v2, v1\n")

    def test_one_that_was_rolled_back_from_after_all(self, two: Shop) -> None:
        two.run("rollback", "shop")
        assert two.run("approve", "shop", "--revision", "v2").code == 0
        standing = {r["id"]: r for r in two.run("history", "shop", "-o", "json").json["revisions"]}
        assert standing["v2"]["known_good"]
        assert not standing["v2"]["condemned"]


class TestWithoutTheDaemonsSecrets:
    """At three in the morning, in a shell that has none of the daemon's environment."""

    @pytest.fixture
    def bare(self, two: Shop, httpserver) -> Shop:
        httpserver.expect_request("/hook").respond_with_data("")
        two.write(receivers={"oncall": httpserver.url_for("/hook")}, http=1)
        two.environ = {}
        return two

    def test_a_person_can_look_and_act(self, bare: Shop) -> None:
        for words in (["status"], ["history", "shop"], ["incidents"], ["resume", "shop"], ["approve", "shop"]):
            assert bare.run(*words).code == 0
        assert bare.run("pause", "shop", "--reason", "x").code == 0
        bare.run("resume", "shop")

    def test_nothing_is_sent_unsigned_and_the_notices_wait(self, bare: Shop, httpserver) -> None:
        done = bare.run("rollback", "shop", "--to", "v1")
        assert done.code == 0, done.out + done.err
        assert "receivers[0].webhook.secret: the environment variable HOOK_SECRET is not set" in done.err
        assert httpserver.log == []
        store = open_store(f"sqlite:///{bare.folder}/state.db")
        waiting, given_up = store.queue()
        store.close()
        assert waiting > 0
        assert given_up == 0

    def test_with_them_it_tells_the_receivers_itself(self, bare: Shop, httpserver) -> None:
        bare.environ = {"HOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "WATCHDOG_TOKEN": "x" * 20}
        assert bare.run("rollback", "shop").code == 0
        told = [request.json["type"] for request, _ in httpserver.log]
        assert told[-1] == "incident.recovered"
        assert all("webhook-signature" in request.headers for request, _ in httpserver.log)

    def test_the_daemon_and_the_check_need_them(self, bare: Shop) -> None:
        for words in (["run"], ["check"]):
            done = bare.run(*words)
            assert done.code == 2
            assert "the environment variable HOOK_SECRET is not set" in done.err

    def test_the_store_is_always_needed(self, bare: Shop) -> None:
        bare.config.write_text(bare.config.read_text().replace("sqlite:///state.db", "{env: STATE_URL}"))
        done = bare.run("status")
        assert done.code == 2
        assert "the environment variable STATE_URL is not set" in done.err
