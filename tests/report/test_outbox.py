"""Delivery: at least once, one id per event, in order, with back-off, and nobody waits for a receiver that is down."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.errors import Refused, Unavailable
from watchdog.model.incident import Event, EventKind
from watchdog.report.base import Busy
from watchdog.report.outbox import GIVE_UP_AFTER, LONGEST_PAUSE, Outbox, notices_for, pause_after
from watchdog.store.base import Step
from watchdog.store.memory import MemoryStore

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Route:
    def __init__(self, name, *events):
        self.name, self.events = name, events


class Recorder:
    """A receiver that does as it is told, then records."""

    def __init__(self, name, *answers):
        self.name, self.answers, self.got = name, list(answers), []

    def send(self, event):
        answer = self.answers.pop(0) if self.answers else None
        if answer:
            raise answer
        self.got.append(event.id)


def event(number=1, kind=EventKind.deploy_seen):
    at = NOW + timedelta(milliseconds=number)
    return Event(id=f"evt_{number}", kind=kind, at=at, target="shop", environment="production", message="r8 arrived")


def filled(*receivers, events=1):
    store = MemoryStore()
    routes = [Route(r.name) for r in receivers]
    for number in range(1, events + 1):
        store.save(Step(notices=notices_for(event(number), routes, NOW)))
    return store, Outbox(store, {r.name: r for r in receivers}, random.Random(1))


def test_each_receiver_gets_a_notice_under_the_events_id():
    notices = notices_for(event(), [Route("oncall"), Route("chat")], NOW)
    assert [(n.id, n.receiver, n.next_at) for n in notices] == [
        ("evt_1/oncall", "oncall", NOW),
        ("evt_1/chat", "chat", NOW),
    ]


def test_a_receiver_gets_only_the_kinds_it_wants_and_never_notes():
    picky = Route("oncall", EventKind.failed, EventKind.note)
    assert notices_for(event(kind=EventKind.deploy_seen), [picky], NOW) == ()
    assert len(notices_for(event(kind=EventKind.failed), [picky], NOW)) == 1
    assert notices_for(event(kind=EventKind.note), [picky, Route("all")], NOW) == ()


def test_what_is_due_is_sent_once_and_in_order():
    oncall = Recorder("oncall")
    store, outbox = filled(oncall, events=3)
    assert outbox.deliver(NOW) == 3
    assert oncall.got == ["evt_1", "evt_2", "evt_3"]
    assert outbox.deliver(NOW + timedelta(hours=1)) == 0
    assert store.queue() == (0, 0)


def test_a_receiver_that_is_down_ends_its_round_and_delays_nobody():
    down, well = Recorder("down", *[Unavailable("connection refused")] * 2), Recorder("well")
    store, outbox = filled(down, well, events=3)
    assert outbox.deliver(NOW) == 3
    assert well.got == ["evt_1", "evt_2", "evt_3"]
    assert len(down.answers) == 1, "one attempt, not three"
    assert store.queue() == (3, 0)


def test_after_an_outage_events_arrive_in_order_also_newer_ones():
    oncall = Recorder("oncall", Unavailable("connection refused"))
    store, outbox = filled(oncall, events=2)
    outbox.deliver(NOW)
    store.save(Step(notices=notices_for(event(3), [Route("oncall")], NOW)))
    assert outbox.deliver(NOW + timedelta(seconds=1)) == 0, "the newer one waits behind the older ones"
    assert outbox.deliver(NOW + timedelta(seconds=6)) == 3
    assert oncall.got == ["evt_1", "evt_2", "evt_3"]


def test_a_no_is_given_up_at_once_and_the_rest_goes_on():
    oncall = Recorder("oncall", Refused("404 Not Found"))
    store, outbox = filled(oncall, events=2)
    assert outbox.deliver(NOW) == 1
    assert oncall.got == ["evt_2"]
    assert store.queue() == (0, 1)


def test_a_receivers_own_pause_is_respected():
    oncall = Recorder("oncall", Busy("429", timedelta(minutes=5)))
    _, outbox = filled(oncall)
    outbox.deliver(NOW)
    assert outbox.deliver(NOW + timedelta(minutes=4)) == 0
    assert outbox.deliver(NOW + timedelta(minutes=5)) == 1


def test_after_a_day_it_is_given_up_kept_and_counted(caplog):
    oncall = Recorder("oncall", *[Unavailable("connection refused")] * 1_000)
    store, outbox = filled(oncall)
    now = NOW
    while store.queue()[0]:
        outbox.deliver(now)
        now += LONGEST_PAUSE
    assert now - NOW >= GIVE_UP_AFTER
    assert store.queue() == (0, 1)
    assert "was not delivered to oncall: given up after 1d" in caplog.text


def test_a_receiver_that_left_the_config_is_given_up():
    store, _ = filled(Recorder("gone"))
    Outbox(store, {"oncall": Recorder("oncall")}).deliver(NOW)
    assert store.queue() == (0, 1)


def test_one_receiver_can_be_served_alone():
    a, b = Recorder("a"), Recorder("b")
    _, outbox = filled(a, b)
    assert outbox.names == ("a", "b")
    assert outbox.deliver(NOW, receiver="b") == 1
    assert (a.got, b.got) == ([], ["evt_1"])


def test_killed_between_sending_and_noting_it_repeats_under_the_same_id():
    class Fragile(MemoryStore):
        def notice_sent(self, notice_id, now):
            raise KeyboardInterrupt

    store, oncall = Fragile(), Recorder("oncall")
    store.save(Step(notices=notices_for(event(), [Route("oncall")], NOW)))
    outbox = Outbox(store, {"oncall": oncall})
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            outbox.deliver(NOW)
    assert oncall.got == ["evt_1", "evt_1"]


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_and_stay_in_bounds(attempts, jitter):
    pause = pause_after(attempts, jitter)
    assert timedelta(seconds=2.5) <= pause <= LONGEST_PAUSE
    assert pause_after(attempts + 1, jitter) >= pause
