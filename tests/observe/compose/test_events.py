"""Which ends of a container somebody ordered, from the events as the engine writes them."""

import itertools

import pytest

from watchdog.observe.compose.events import KEPT_ENDS, Ledger

SECOND = 1_000_000_000
API = "a" * 64


def event(at, action, container=API, project="shop", **attributes):
    labels = {"com.docker.compose.project": project, "com.docker.compose.service": "api", "name": "shop-api-1"}
    return {
        "Type": "container",
        "Action": action,
        "Actor": {"ID": container, "Attributes": {**labels, **attributes}},
        "time": int(at),
        "timeNano": int(at * SECOND),
    }


def ledger(*events):
    out = Ledger()
    for one in events:
        out.note(one)
    return out


def ends(*events, stop_signal="SIGTERM"):
    return [(e.exit_code, e.oom_killed, e.ordered(stop_signal)) for e in ledger(*events).life(API)[0]]


def test_a_crash():
    assert ends(event(1, "start"), event(2, "die", exitCode="3")) == [(3, False, False)]


def test_a_stop():
    found = ledger(event(1, "start"), event(2, "kill", signal="15"), event(3, "die", exitCode="0"), event(3.1, "stop"))
    (end,), stopped, sent = found.life(API)
    assert (end.ordered("SIGTERM"), stopped, sent) == (True, True, 15)


def test_a_restart_by_a_person_and_then_a_crash():
    restart = [event(2, "kill", signal="15"), event(3, "die", exitCode="143"), event(3.1, "stop")]
    again = [event(3.2, "start"), event(3.3, "restart"), event(9, "die", exitCode="1")]
    found = ledger(event(1, "start"), *restart, *again)
    assert [e.ordered("SIGTERM") for e in found.life(API)[0]] == [True, False]
    assert found.life(API)[1] is False


def test_killed_by_the_kernel():
    assert ends(event(1, "start"), event(2, "oom"), event(2.1, "die", exitCode="137")) == [(137, True, False)]


def test_a_reload_is_no_order_to_end():
    assert ends(event(1, "start"), event(2, "kill", signal="1"), event(3, "die", exitCode="1")) == [(1, False, False)]


def test_a_signal_that_the_image_stops_by_is():
    events = [event(1, "start"), event(2, "kill", signal="28"), event(3, "die", exitCode="0")]
    assert ends(*events, stop_signal="SIGWINCH") == [(0, False, True)]
    assert ends(*events, stop_signal="28") == [(0, False, True)]
    assert ends(*events) == [(0, False, False)]


def test_an_order_does_not_hold_forever():
    ignored = [event(1, "start"), event(2, "kill", signal="15")]
    assert ends(*ignored, event(700, "die", exitCode="3")) == [(3, False, False)]


def test_what_is_told_twice_is_known_once():
    found = Ledger()
    assert found.note(event(2, "die", exitCode="3")) == "shop"
    assert found.note(event(2, "die", exitCode="3")) is None
    assert len(found.life(API)[0]) == 1


def test_a_container_that_is_removed():
    found = ledger(event(1, "start"), event(2, "destroy"), event(1, "start", container="b" * 64, project="other"))
    assert found.life(API) == ((), False, None)
    assert [(key, life.name) for key, life in found.removed("shop")] == [(API, "shop-api-1")]
    assert found.removed("other") == []


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"Type": "image", "Actor": {"ID": API, "Attributes": {}}},
        {"Type": "container", "Actor": None},
        event(1, "start", **{"com.docker.compose.oneoff": "True"}),
    ],
)
def test_events_of_no_concern(strange):
    assert Ledger().note(strange) is None


def test_a_crash_loop_of_days_stays_small():
    times = itertools.count(1)
    found = ledger(*(event(next(times), "die", exitCode="1") for _ in range(5_000)))
    assert len(found.life(API)[0]) == KEPT_ENDS


def test_exit_codes_that_are_no_numbers():
    assert ends(event(2, "die")) == [(None, False, False)]
