"""What a set of containers means, from literal ones."""

from datetime import UTC, datetime, timedelta

import pytest

from watchdog.compose.engine import Container
from watchdog.model.deploy import Phase
from watchdog.observe.compose.events import End
from watchdog.observe.compose.instances import (
    Seen,
    deployed_at,
    exits,
    fingerprint,
    images,
    instances,
    pods,
    rollout,
    summary,
)

T0 = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
NOW = T0 + timedelta(hours=5)


def at(seconds):
    return T0 + timedelta(seconds=seconds)


def seen(service="api", *, created=0, ends=(), stopped=False, sent=None, **fields):
    base = {
        "id": f"{service}{fields.get('number', '1')}{created}".ljust(64, "0"),
        "name": f"shop-{service}-{fields.get('number', '1')}",
        "service": service,
        "config_hash": "h1",
        "image": "sha256:" + "1" * 64,
        "image_name": f"shop-{service}:1",
        "created": at(created),
        "state": "running",
        "exit_code": 0,
        "oom_killed": False,
        "error": "",
        "started_at": at(created),
        "finished_at": None,
        "restarts": 0,
        "restart_policy": "always",
        "health": "none",
        "stop_signal": "SIGTERM",
    }
    return Seen(Container(**{**base, **fields}), tuple(ends), stopped, sent)


def crash(seconds, code=3, **fields):
    return End(at(seconds), code, **fields)


def down(service="api", code=3, *, finished=10, policy="no", **fields):
    state = {"state": "exited", "exit_code": code, "finished_at": at(finished), "restart_policy": policy}
    return seen(service, **{**state, **fields})


MIGRATE = {"com.docker.compose.depends_on": "migrate:service_completed_successfully:false,db:service_started:true"}


def test_scale_restarts_and_states_do_not_change_the_fingerprint():
    one = fingerprint([seen(), seen("web")])
    assert (
        fingerprint([seen(created=9, number="2", restarts=7, state="restarting"), seen("web", health="unhealthy")])
        == one
    )
    assert fingerprint([seen(), seen(created=5, number="2"), seen("web")]) == one


@pytest.mark.parametrize("change", [{"config_hash": "h2"}, {"image": "sha256:" + "2" * 64}])
def test_config_and_image_do(change):
    assert fingerprint([seen(**change), seen("web")]) != fingerprint([seen(), seen("web")])


def test_while_two_versions_exist_the_newer_one_counts():
    new = seen(created=9, config_hash="h2", state="created")
    assert fingerprint([seen(), new]) == fingerprint([new])
    assert rollout([seen(), new], NOW).reason == "service api is being replaced"


def test_nothing_has_no_fingerprint():
    assert (fingerprint([]), deployed_at([]), exits([])) == ("", None, ())


def test_a_one_shot_counts_only_while_its_failure_stands():
    api = seen(labels=MIGRATE)
    alone = fingerprint([api])
    assert fingerprint([down("migrate", 0), api]) == alone
    assert fingerprint([seen("migrate"), api]) == alone
    assert fingerprint([down("migrate", 3), api]) != alone
    assert fingerprint([down("migrate", 3, finished=10), seen(created=20, labels=MIGRATE)]) == alone


def test_a_failed_one_shot_fails_the_rollout():
    found = rollout([down("migrate", 3), seen(labels=MIGRATE)], NOW)
    assert (found.phase, found.reason) == (Phase.failed, "service migrate exited with code 3")


def test_a_failure_from_before_the_deploy_does_not():
    assert rollout([down("cron", 1, finished=10), seen(created=20)], NOW).phase is Phase.complete


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (seen(state="created"), "service api is not started yet"),
        (seen(health="starting"), "service api is starting"),
        (seen(health="unhealthy"), "service api is unhealthy"),
        (
            seen(state="restarting", restarts=4, exit_code=3),
            "service api is restarting (4 times so far, last exit code 3)",
        ),
        (seen(restarts=2, started_at=NOW), "service api was restarted 2 times, just now again"),
        (seen("migrate", restart_policy="no"), "one-shot service migrate has not finished"),
    ],
)
def test_what_a_rollout_waits_for(one, reason):
    found = rollout([one, seen("web", labels=MIGRATE)], NOW)
    assert (found.phase, found.reason) == (Phase.arriving, reason)


@pytest.mark.parametrize("one", [seen(restarts=2), seen(health="healthy"), down(code=143, stopped=True), down(code=0)])
def test_what_it_does_not_wait_for(one):
    assert rollout([one, seen("web")], NOW).phase is Phase.complete


def test_a_program_that_could_not_be_started():
    broken = seen(state="created", error="exec: no such file", exit_code=127)
    assert rollout([broken], NOW).reason == "service api could not be started: exec: no such file"
    assert [(i.state, i.ended_abnormally) for i in instances([broken])] == [("exited", True)]


@pytest.mark.parametrize(
    ("one", "abnormal"),
    [
        (down(code=3), True),
        (down(code=0), False),
        (down(code=3, stopped=True), False),
        (down(code=3, policy="always"), False),  # the engine would have started it again
        (down(code=143), False),  # events lost: by a signal, as a stop does
        (down(code=137, oom_killed=True), True),
        (down(code=1, ends=[crash(10, 1, signal=15)]), False),
        (down(code=1, ends=[crash(10, 1)]), True),
        (down(code=1, ends=[crash(2, 3)], sent=15), False),  # the event of this end is still on its way
    ],
)
def test_who_ended_a_container(one, abnormal):
    assert instances([one])[0].ended_abnormally is abnormal


def test_exits_by_events():
    found = exits([seen(restarts=2, ends=[crash(5), crash(9, 137, oom_killed=True), crash(12, 143, signal=15)])])
    assert [(e.at, e.exit_code, e.reason) for e in found] == [
        (at(5), 3, "exited with code 3"),
        (at(9), 137, "killed by the kernel: out of memory"),
    ]


def test_exits_that_no_event_told():
    found = exits([seen(restarts=3, state="restarting", exit_code=7, finished_at=at(30))])
    assert [(e.at, e.exit_code) for e in found] == [(at(0), None), (at(0), None), (at(30), 7)]


def test_ending_well_is_abnormal_only_where_it_should_keep_running():
    assert exits([seen(restarts=1, ends=[crash(5, 0)])])[0].reason == (
        "exited with code 0 and was restarted again (restart: always)"
    )
    assert exits([seen(restart_policy="on-failure", ends=[crash(5, 0)])]) == ()


def test_exits_from_before_the_deploy_do_not_count():
    worker = seen("worker", restarts=1, ends=[crash(10)])
    assert exits([worker, seen("api", created=3600)]) == ()


def test_one_that_crashed_before_the_deploy_says_nothing_about_it():
    worker = seen("worker", restarts=3, ends=[crash(3000), crash(3300), crash(3700)])
    assert exits([worker, seen("api", created=3600)]) == ()


def test_one_that_was_well_before_the_deploy_does():
    worker = seen("worker", restarts=2, ends=[crash(3700), crash(3800)])
    assert len(exits([worker, seen("api", created=3600)])) == 2


def test_scaling_up_is_no_new_deploy():
    assert deployed_at([seen(), seen(created=500, number="2")]) == at(0)


def test_names_for_queries_and_people():
    both = [
        seen(),
        seen(created=1, number="2"),
        seen("web", name="0123456789ab_front.end", labels=MIGRATE),
        seen("migrate"),
    ]
    assert pods(both) == "front[.]end|shop-api-1|shop-api-2"
    assert images(both)["api"] == "sha256:" + "1" * 64
    assert summary([seen(), seen("web", image_name="sha256:" + "1" * 64)]) == (
        "api: shop-api:1 (111111111111), web: 111111111111"
    )
