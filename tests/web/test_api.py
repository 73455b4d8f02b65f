"""The API over real HTTP: what it shows, who may act, and what it refuses."""

import json
import socket

import pytest

from tests.waiting import within
from watchdog.errors import StoreUnavailable
from watchdog.web.gate import host_of, is_loopback

SECRET = "hunter2-never-shown"


def test_healthz_says_whether_the_loop_turns(api):
    assert api.get("/healthz").json() == {"ok": True, "reason": "the loop turned 1 s ago"}
    api.alive = (False, "the loop has not turned for 95 s")
    stuck = api.get("/healthz")
    assert (stuck.status_code, stuck.json()["reason"]) == (503, "the loop has not turned for 95 s")
    assert api.get("/readyz").status_code == 200


def test_metrics_are_prometheus_text(api):
    answer = api.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "deploy_watchdog_build_info" in answer.text


def test_status_history_and_incidents(api):
    (shop,) = api.get("/api/v1/status").json()["targets"]
    assert (shop["name"], shop["state"], shop["revision"]) == ("shop", "held", "r8")
    (revision,) = api.get("/api/v1/targets/shop/history").json()["revisions"]
    assert (revision["id"], revision["watch_state"], revision["incident"]) == ("r8", "held", "inc-1")
    (incident,) = api.get("/api/v1/incidents?target=shop&limit=5").json()["incidents"]
    assert incident["headline"] == "shop r8 is held"
    assert api.get("/api/v1/incidents?target=other").json() == {"incidents": []}


def test_an_incident_is_explained_in_strict_json_without_what_was_recorded(api):
    answer = api.get("/api/v1/incidents/inc-1")
    told = json.loads(answer.text, parse_constant=pytest.fail)
    assert told["rules"][0]["measurements"][0]["samples"][0]["value"] == "NaN"
    assert told["evidence"][0]["text"] == "boom"
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/targets/nope/history", 404, "no target is called 'nope'; there are: shop"),
        ("/api/v1/incidents/nope", 404, "no incident is called 'nope'; the latest: inc-1"),
        ("/api/v1/incidents?limit=0", 422, "query.limit"),
        ("/nowhere", 404, "Not Found"),
        ("/docs", 404, "Not Found"),
    ],
)
def test_errors_say_what_is_wrong_and_what_to_do(api, path, status, said):
    answer = api.get(path)
    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert answer.json()["hint"]


def test_a_store_that_is_locked_is_503(make_api):
    api = make_api()

    def locked():
        raise StoreUnavailable("the state file is locked")

    api.store.open_watches = locked
    assert api.get("/api/v1/status").status_code == 503


def test_what_nobody_foresaw_is_reported_and_shows_no_inside(api):
    def broken():
        raise RuntimeError(f"inside: {SECRET}")

    api.store.open_watches = broken
    answer = api.get("/api/v1/status")
    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert len(api.unexpected) == 1


def test_actions_do_what_was_ordered(api):
    ordered = api.post("/api/v1/targets/shop/rollback", {"by": "ada"}).json()
    assert (ordered["watch"], ordered["incident"], ordered["dry_run"]) == ("w-1", "inc-1", False)
    assert api.post("/api/v1/targets/shop/pause", {"for": "2h", "reason": "migration"}).json()["until"]
    assert api.post("/api/v1/targets/shop/pause", {"reason": "migration"}).json()["until"] is None
    assert api.post("/api/v1/targets/shop/resume", {}).json()["paused"] is False
    assert api.post("/api/v1/incidents/inc-1/approve", {"by": "ada"}).json()["revision"] == "r8"
    assert api.post("/api/v1/targets/shop/approve", {"revision": "r7"}).json()["revision"] == "r7"
    assert [order[0] for order in api.actions.orders] == ["rollback", "pause", "pause", "resume", "approve", "approve"]
    assert api.actions.orders[0] == ("rollback", "shop", None, "ada")


def test_a_dry_run_says_what_it_would_do_and_what_the_guard_says(api):
    answer = api.post("/api/v1/targets/shop/rollback", {"dry_run": True}).json()
    assert answer["message"] == "would roll shop back from r8 to r7; the guard says no: cooldown"
    assert (answer["changes"], answer["warnings"]) == (["api"], ["a bind changed"])
    assert answer["objections"] == [{"name": "cooldown", "reason": "12m ago, less than 30m"}]
    assert api.actions.orders == []


@pytest.mark.parametrize("token", [None, "", "wrong", "t0ken-of-the-test", "ümläut"])
def test_without_the_right_token_nothing_is_done(api, token):
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
    answer = api.post("/api/v1/targets/shop/rollback", {}, token=None, **headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert api.actions.orders == []


def test_the_right_token_under_another_scheme_is_wrong(api):
    answer = api.post("/api/v1/targets/shop/rollback", {}, token=None, Authorization="Basic t0ken-of-the-tests")
    assert answer.status_code == 401


@pytest.mark.parametrize("off", [{"token": None}, {"actions": None}])
def test_without_a_configured_token_there_are_no_actions(make_api, off):
    api = make_api(**off)
    answer = api.post("/api/v1/targets/shop/rollback", {})
    assert answer.status_code == 403
    assert "http.token" in answer.json()["hint"]
    assert not any("post" in path for path in api.get("/openapi.json").json()["paths"].values())


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("targets/nope/rollback", {}, 404),
        ("targets/shop/rollback", {"to": "r8"}, 409),
        ("targets/shop/rollback", {"dryrun": True}, 422),
        ("targets/shop/rollback", {"dry_run": "yes"}, 422),
        ("targets/shop/pause", {}, 422),
        ("targets/shop/pause", {"reason": "x", "for": "soon"}, 422),
        ("targets/shop/pause", {"reason": "x", "for": "31d"}, 422),
        ("targets/shop/pause", {"reason": "x", "for": "0s"}, 422),
        ("targets/shop/pause", {"reason": "x", "for": "9" * 30 + "w"}, 422),
        ("targets/shop/resume", {"by": "a\u001b[31m"}, 422),
        ("incidents/nope/approve", {}, 404),
    ],
)
def test_orders_that_make_no_sense_are_refused(api, path, body, status):
    answer = api.post(f"/api/v1/{path}", body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "hint"}
    assert api.actions.orders == []


def test_a_page_whose_name_was_pointed_at_us_is_refused(api):
    assert api.get("/api/v1/status", Host="evil.example").status_code == 400
    for host in ("localhost", "localhost:8080", "127.0.0.1:1", "[::1]:9099"):
        assert api.get("/healthz", Host=host).status_code == 200


def test_listening_for_others_any_name_is_served(make_api):
    assert make_api(host="0.0.0.0").get("/healthz", Host="watchdog.internal:9099").status_code == 200


def test_a_check_that_speaks_http_1_0_without_a_host_is_served(api):
    with socket.create_connection(("127.0.0.1", api.server.port), timeout=within(10)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused_before_it_is_read(api, chunked):
    body = b"x" * 100_000
    answer = api_post_raw(api, iter([body]) if chunked else body)
    assert answer.status_code == 413


def api_post_raw(api, data, **headers):
    import requests

    headers["Content-Type"] = "application/json"
    return requests.post(
        api.server.url + "/api/v1/targets/shop/rollback", data=data, headers=headers, timeout=within(10)
    )


@pytest.mark.parametrize(
    "body", [b'{"\\ud800": 1}', b'{"by": "\\ud800"}', b"\xff", b"{", b"", b'{"to": ' + b"[" * 9000]
)
def test_text_that_is_not_unicode_or_json_is_a_clear_no(api, body):
    answer = api_post_raw(api, body, Authorization="Bearer t0ken-of-the-tests")
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error", "hint"}
    assert api.unexpected == []


def test_what_counts_as_loopback():
    assert all(
        is_loopback(h) for h in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "a.localhost", "LOCALHOST.")
    )
    assert not any(is_loopback(h) for h in ("0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.evil.org", ""))
    assert [host_of(h) for h in ("a:1", "[::1]:9", "a")] == ["a", "[::1]", "a"]
