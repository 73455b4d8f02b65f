"""What every store promises, asked of each of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.store.examples import (
    T0,
    at,
    bookmark,
    ended,
    event,
    full_values,
    full_watch,
    incident,
    logs,
    measurement,
    notice,
    pause,
    revision,
    rollback,
    watch,
)
from watchdog.errors import Conflict
from watchdog.model.watch import OPEN_STATES, WatchState
from watchdog.store.base import Step, Store
from watchdog.store.documents import encode


def test_an_empty_store_knows_nothing(store: Store) -> None:
    assert store.watch("w1") is None
    assert store.open_watches() == []
    assert store.watches() == []
    assert store.revision("shop", "r1") is None
    assert store.revisions("shop") == []
    assert store.revision_by_fingerprint("shop", "f") is None
    assert store.bookmark("shop") is None
    assert store.measurements("w1") == []
    assert store.events() == []
    assert store.evidence("w1") == []
    assert store.incident("i1") is None
    assert store.incidents() == []
    assert store.rollback("p1") is None
    assert store.rollbacks("shop", T0) == []
    assert store.pause("shop") is None
    assert store.owner("shop", T0) is None
    assert store.queue() == (0, 0)
    assert store.prune(at(10**6)) == 0


def test_an_empty_step_changes_nothing(store: Store) -> None:
    store.save(Step())
    assert store.watches() == []


def test_all_of_a_step_is_there_afterwards(store: Store) -> None:
    values = full_values()
    store.save(
        Step(
            watches=(full_watch(),),
            revisions=(values["Revision"],),
            bookmark=values["Bookmark"],
            measurements=(values["Measurement"],),
            events=(values["Event"],),
            evidence=(("w1", values["EvidenceItem"]),),
            incidents=(values["Incident"],),
            rollback=values["Rollback"],
            notices=(notice(),),
            pause=values["Pause"],
        )
    )
    assert store.watch("w1") == full_watch()
    assert store.revision("shop", "r1") == values["Revision"]
    assert store.bookmark("shop") == values["Bookmark"]
    assert [encode(m) for m in store.measurements("w1")] == [encode(values["Measurement"])]  # NaN is not equal to NaN
    assert store.events("w1") == [values["Event"]]
    assert store.evidence("w1") == [values["EvidenceItem"]]
    assert store.incident("i1") == values["Incident"]
    assert store.rollback("p1") == values["Rollback"]
    assert store.due_notices(T0) == [notice()]
    assert store.pause("shop") == values["Pause"]


def test_what_a_revision_needs_to_be_brought_back_survives(store: Store) -> None:
    recorded = {
        "config": {"services": {"api": {"environment": {"TOKEN": "s3cr3t"}}}},
        "files": [["a", None], 1.5, True],
    }
    store.save(Step(revisions=(revision(recorded=recorded),)))
    kept = store.revision("shop", "r1")
    assert kept is not None
    assert kept.recorded == recorded


def test_a_new_watch_is_written_as_version_1(store: Store) -> None:
    store.save(Step(watches=(watch(version=1),)))
    store.save(Step(watches=(watch(version=2, state=WatchState.watching),)))
    stored = store.watch("w1")
    assert stored is not None
    assert (stored.version, stored.state) == (2, WatchState.watching)


@pytest.mark.parametrize("version", [0, 1, 2, 4])
def test_a_stale_writer_is_refused_and_nothing_of_its_step_is_stored(store: Store, version: int) -> None:
    store.save(Step(watches=(watch(version=1),)))
    store.save(Step(watches=(watch(version=2),)))
    stale = watch(version=version, end_reason="stale")
    with pytest.raises(Conflict, match="w1"):
        store.save(Step(watches=(watch("w2"), stale), events=(event(),), bookmark=bookmark(), rollback=rollback()))
    kept = store.watch("w1")
    assert kept is not None
    assert kept.version == 2
    assert store.watch("w2") is None
    assert store.events() == []
    assert store.bookmark("shop") is None
    assert store.rollback("p1") is None


def test_the_refusal_says_what_was_not_stored_and_what_to_do(store: Store) -> None:
    with pytest.raises(Conflict) as refused:
        store.save(Step(watches=(watch(version=7),)))
    assert str(refused.value) == (
        "storing watch w1 as version 7: version 6 is not what is stored; "
        "someone else wrote it. Nothing of this step was stored: read it again, then decide again."
    )


def test_a_later_version_of_an_unknown_watch_is_refused(store: Store) -> None:
    with pytest.raises(Conflict):
        store.save(Step(watches=(watch(version=2),)))


def test_one_step_may_write_a_watch_twice(store: Store) -> None:
    store.save(Step(watches=(watch(version=1), watch(version=2))))
    assert [w.version for w in store.watches()] == [2]


def test_open_watches_are_those_with_something_to_do_oldest_first(store: Store) -> None:
    states = list(WatchState)
    store.save(
        Step(watches=tuple(watch(f"w{n:02}", state=s, opened_at=at(-n), target=f"t{n}") for n, s in enumerate(states)))
    )
    found = store.open_watches()
    assert {w.state for w in found} == OPEN_STATES
    assert [w.opened_at for w in found] == sorted(w.opened_at for w in found)


def test_open_watches_follow_every_change(store: Store) -> None:
    store.save(Step(watches=(watch("w1"), watch("w2", opened_at=at(1)))))
    assert [(w.id, w.version) for w in store.open_watches()] == [("w1", 1), ("w2", 1)]
    store.save(Step(watches=(watch("w1", 2, state=WatchState.watching),)))
    assert [(w.id, w.version) for w in store.open_watches()] == [("w1", 2), ("w2", 1)]
    store.save(Step(watches=(ended("w1", 3, at(9)),)))
    assert [(w.id, w.version) for w in store.open_watches()] == [("w2", 1)]
    assert store.open_watches()[0] == watch("w2", opened_at=at(1))


def test_watches_are_newest_first_and_bounded(store: Store) -> None:
    store.save(Step(watches=tuple(watch(f"w{n}", opened_at=at(n), target=f"t{n % 2}") for n in range(6))))
    assert [w.id for w in store.watches(limit=3)] == ["w5", "w4", "w3"]
    assert [w.id for w in store.watches("t0")] == ["w4", "w2", "w0"]
    assert [w.id for w in store.watches("t1", limit=1)] == ["w5"]


def test_revisions_are_newest_first_replaced_by_key_and_found_by_fingerprint(store: Store) -> None:
    store.save(Step(revisions=tuple(revision(f"r{n}", n, fingerprint=f"f{n % 2}") for n in range(1, 5))))
    store.save(Step(revisions=(revision("r1", 1, fingerprint="f1", known_good=True), revision("r1", 9, target="else"))))
    assert [r.id for r in store.revisions("shop")] == ["r4", "r3", "r2", "r1"]
    assert [r.id for r in store.revisions("shop", limit=2)] == ["r4", "r3"]
    assert [r.known_good for r in store.revisions("shop")] == [False, False, False, True]
    newest = store.revision_by_fingerprint("shop", "f1")
    assert newest is not None
    assert newest.id == "r3"
    assert store.revision_by_fingerprint("else", "f1") is None


def test_a_revision_is_one_of_a_target(store: Store) -> None:
    for target, name in (("blog", "r1"), ("shop", "r1"), ("shop", "r2")):
        store.save(Step(revisions=(revision(name, target=target),)))
    for target, name in (("blog", "r1"), ("shop", "r1"), ("shop", "r2")):
        found = store.revision(target, name)
        assert found is not None
        assert (found.target, found.id) == (target, name)
    assert store.revision("blog", "r2") is None


def test_measurements_keep_their_order_and_the_newest_are_given(store: Store) -> None:
    for n in range(6):  # made in this order, whatever their times say
        store.save(Step(measurements=(measurement(rule=f"rule{n % 2}", seconds=-n), measurement("w2"))))
    assert [m.at for m in store.measurements("w1")] == [at(-n) for n in range(6)]
    assert [m.at for m in store.measurements("w1", limit=2)] == [at(-4), at(-5)]
    assert [m.at for m in store.measurements("w1", "rule1", limit=2)] == [at(-3), at(-5)]
    assert store.measurements("w1", limit=0) == []


def test_events_keep_their_order_by_watch_and_by_target(store: Store) -> None:
    store.save(Step(events=tuple(event(f"e{n}", n, watch=f"w{n % 2}", target=f"t{n % 3}") for n in range(6))))
    assert [e.id for e in store.events()] == ["e0", "e1", "e2", "e3", "e4", "e5"]
    assert [e.id for e in store.events(limit=2)] == ["e4", "e5"]
    assert [e.id for e in store.events("w1")] == ["e1", "e3", "e5"]
    assert [e.id for e in store.events(target="t0")] == ["e0", "e3"]
    assert [e.id for e in store.events("w1", "t0")] == ["e3"]


def test_evidence_is_kept_by_watch_in_order(store: Store) -> None:
    store.save(Step(evidence=(("w1", logs("one")), ("w2", logs("other")), ("w1", logs("two")))))
    assert [item.text for item in store.evidence("w1")] == ["one", "two"]


def test_broken_text_of_a_program_does_not_stop_a_step(store: Store) -> None:
    store.save(Step(evidence=(("w1", logs("half \udc80 \x00 whole ☃")),), rollback=rollback()))
    assert [item.text for item in store.evidence("w1")] == ["half ? \x00 whole ☃"]
    assert store.rollback("p1") is not None


def test_incidents_are_newest_first_and_replaced_by_id(store: Store) -> None:
    for n in range(4):
        store.save(Step(incidents=(incident(f"i{n}", n, target=f"t{n % 2}"),)))
    store.save(Step(incidents=(incident("i0", 0, target="t0", state=WatchState.recovered, closed_at=at(60)),)))
    assert [i.id for i in store.incidents()] == ["i3", "i2", "i1", "i0"]
    assert [i.id for i in store.incidents(limit=1)] == ["i3"]
    assert [(i.id, i.state) for i in store.incidents("t0")] == [
        ("i2", WatchState.condemned),
        ("i0", WatchState.recovered),
    ]


def test_rollbacks_are_those_since_a_moment_newest_first(store: Store) -> None:
    for n in range(4):
        store.save(Step(rollback=rollback(f"p{n}", n)))
    store.save(Step(rollback=rollback("p2", 2, attempts=2)))
    store.save(Step(rollback=rollback("p9", 9, target="else")))
    assert [(r.id, r.attempts) for r in store.rollbacks("shop", at(1))] == [("p3", 1), ("p2", 2), ("p1", 1)]
    assert store.rollbacks("shop", at(3) + timedelta(microseconds=1)) == []


def test_newest_is_by_time_and_then_by_name(store: Store) -> None:
    stored = [("c", 5), ("a", 9), ("d", 5), ("b", 7)]
    for name, seconds in stored:
        store.save(Step(incidents=(incident(name, seconds),), rollback=rollback(name, seconds)))
    assert [found.id for found in store.incidents()] == ["a", "b", "d", "c"]
    assert [found.id for found in store.incidents(target="shop", limit=3)] == ["a", "b", "d"]
    assert [found.id for found in store.rollbacks("shop", T0)] == ["a", "b", "d", "c"]


def test_a_pause_is_replaced_and_ends_by_resume(store: Store) -> None:
    store.save(Step(pause=pause(reason="one")))
    store.save(Step(pause=pause(reason="two")))
    kept = store.pause("shop")
    assert kept is not None
    assert kept.reason == "two"
    store.save(Step(resume="else"))
    assert store.pause("shop") is not None
    store.save(Step(resume="shop"))
    assert store.pause("shop") is None


def test_a_bookmark_is_replaced(store: Store) -> None:
    store.save(Step(bookmark=bookmark(rev="r1")))
    store.save(Step(bookmark=bookmark("else")))
    store.save(Step(bookmark=bookmark(rev="r2")))
    assert store.bookmark("shop") == bookmark(rev="r2")


def test_prune_drops_the_details_of_old_watches_that_made_no_incident(store: Store) -> None:
    def details(watch_id: str) -> Step:
        return Step(
            measurements=(measurement(watch_id),),
            events=(event(watch=watch_id, target="shop"),),
            evidence=((watch_id, logs()),),
        )

    store.save(Step(watches=(ended("old", 1, at(10)), ended("new", 1, at(100)), watch("open", opened_at=at(-999)))))
    store.save(Step(watches=(ended("told", 1, at(10), incident="i1"), ended("named", 1, at(10)))))
    store.save(Step(incidents=(incident("i2", watch="named"),), revisions=(revision(seconds=-999),)))
    kept = ("new", "open", "told", "named")
    for watch_id in ("old", *kept):
        store.save(details(watch_id))
    store.save(Step(events=(event("paused", 10, watch=None), event("resumed", 100, watch=None))))

    assert store.prune(at(50)) == 4
    assert (store.measurements("old"), store.events("old"), store.evidence("old")) == ([], [], [])
    for watch_id in kept:
        assert (len(store.measurements(watch_id)), len(store.events(watch_id)), len(store.evidence(watch_id))) == (
            1,
            1,
            1,
        )
    assert [e.id for e in store.events() if e.watch is None] == ["resumed"]
    assert store.watch("old") is not None
    assert store.incident("i2") is not None
    assert store.revision("shop", "r1") is not None
    assert store.prune(at(50)) == 0


def test_prune_keeps_what_ended_at_just_that_time(store: Store) -> None:
    store.save(Step(watches=(ended("just", 1, at(50)), ended("old", 1, at(49.999999)))))
    store.save(Step(measurements=(measurement("just"), measurement("old"))))
    store.save(Step(events=(event("just", 50, watch=None), event("old", 49.999999, watch=None))))
    assert store.prune(at(50)) == 2
    assert (len(store.measurements("just")), store.measurements("old")) == (1, [])
    assert [found.id for found in store.events()] == ["just"]


def test_prune_takes_as_many_turns_as_it_needs(store: Store) -> None:
    store.save(Step(watches=(ended("old", 1, at(10)),), measurements=tuple(measurement("old") for _ in range(4_321))))
    assert store.prune(at(50)) == 4_321
    assert store.measurements("old") == []


def test_all_bookmarks_and_pauses_by_name(store: Store) -> None:
    for name in ("web", "api"):
        store.save(Step(bookmark=bookmark().model_copy(update={"target": name})))
        store.save(Step(pause=pause().model_copy(update={"target": name})))
    assert [mark.target for mark in store.bookmarks()] == ["api", "web"]
    assert [found.target for found in store.pauses()] == ["api", "web"]
