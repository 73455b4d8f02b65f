"""The outbox part of the contract: stored once, due in time, sent once, given up loudly."""

from __future__ import annotations

from tests.store.examples import at, notice
from watchdog.store.base import Step, Store


def ids(store: Store, seconds: float, limit: int = 20) -> list[str]:
    return [n.id for n in store.due_notices(at(seconds), limit)]


def test_notices_come_when_their_time_has_come_the_longest_due_first(store: Store) -> None:
    store.save(Step(notices=(notice("e3/oncall", 30), notice("e1/oncall", 10), notice("e2/oncall", 20))))
    store.save(Step(notices=(notice("e4/oncall", 20),)))
    assert ids(store, 9) == []
    assert ids(store, 10) == ["e1/oncall"]
    assert ids(store, 99) == ["e1/oncall", "e2/oncall", "e4/oncall", "e3/oncall"]
    assert ids(store, 99, limit=2) == ["e1/oncall", "e2/oncall"]


def test_storing_a_notice_twice_is_storing_it_once(store: Store) -> None:
    store.save(Step(notices=(notice(due=10),)))
    store.save(Step(notices=(notice(due=99), notice("e1/chat", 10))))
    assert ids(store, 10) == ["e1/oncall", "e1/chat"]
    assert store.queue() == (2, 0)


def test_a_sent_notice_is_never_due_again(store: Store) -> None:
    store.save(Step(notices=(notice(),)))
    store.notice_sent("e1/oncall", at(1))
    store.notice_failed("e1/oncall", at(2), "too late: it arrived")
    store.save(Step(notices=(notice(),)))
    assert ids(store, 999) == []
    assert store.queue() == (0, 0)


def test_a_failed_notice_is_tried_again_later(store: Store) -> None:
    store.save(Step(notices=(notice(),)))
    store.notice_failed("e1/oncall", at(30), "HTTP 503 from 127.0.0.1:8000")
    assert ids(store, 29) == []
    (due,) = store.due_notices(at(30))
    assert (due.attempts, due.last_error, due.next_at) == (1, "HTTP 503 from 127.0.0.1:8000", at(30))
    assert due.event == notice().event
    assert due.created_at == notice().created_at


def test_a_receiver_that_is_down_does_not_keep_others_waiting(store: Store) -> None:
    store.save(Step(notices=tuple(notice(f"e{n}/down", 0) for n in range(3))))
    for n in range(3):
        store.notice_failed(f"e{n}/down", at(60), "refused")
    store.save(Step(notices=(notice("e9/oncall", 50, created=50),)))
    assert ids(store, 60, limit=1) == ["e9/oncall"]


def test_a_notice_is_given_up_and_counted_and_may_be_taken_up_again(store: Store) -> None:
    store.save(Step(notices=(notice(), notice("e2/oncall"))))
    store.notice_failed("e1/oncall", None, "HTTP 410")
    assert ids(store, 999) == ["e2/oncall"]
    assert store.queue() == (1, 1)
    store.notice_failed("e1/oncall", at(5), "asked again")
    assert store.queue() == (2, 0)


def test_a_notice_that_arrived_after_it_was_given_up_is_not_given_up(store: Store) -> None:
    store.save(Step(notices=(notice(),)))
    store.notice_failed("e1/oncall", None, "HTTP 410")
    store.notice_sent("e1/oncall", at(9))
    assert store.queue() == (0, 0)


def test_a_notice_that_was_dropped_may_be_stored_again(store: Store) -> None:
    store.save(Step(notices=(notice(),)))
    store.notice_sent("e1/oncall", at(1))
    assert store.prune(at(2)) == 1
    store.save(Step(notices=(notice(),)))
    assert ids(store, 0) == ["e1/oncall"]


def test_unknown_notices_are_no_error(store: Store) -> None:
    store.notice_sent("e9/gone", at(0))
    store.notice_failed("e9/gone", None, "pruned in between")
    assert store.queue() == (0, 0)


def test_prune_drops_settled_notices_and_never_waiting_ones(store: Store) -> None:
    store.save(Step(notices=tuple(notice(f"e{n}/oncall", 0, created=n) for n in range(6))))
    for n in (0, 5):
        store.notice_sent(f"e{n}/oncall", at(9))
    for n in (1, 4):
        store.notice_failed(f"e{n}/oncall", None, "HTTP 410")
    assert store.prune(at(4)) == 2
    assert store.queue() == (2, 1)
    assert ids(store, 999) == ["e2/oncall", "e3/oncall"]
