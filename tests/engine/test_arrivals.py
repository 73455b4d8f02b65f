"""What a snapshot means: a deploy, more of a rollout, an empty place, or nothing new."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watchdog.engine.arrivals import SAME_ROLLOUT, Arrival, arrival, foreign, next_name, settled, stopped_on_purpose
from watchdog.model.deploy import Instance, Phase, Revision, Rollout, Snapshot
from watchdog.model.incident import Bookmark
from watchdog.model.rollback import Draft, Plan
from watchdog.model.watch import Watch, WatchState
from watchdog.testing import EPOCH

MARK = Bookmark(target="shop", revision="r1", fingerprint="old", seen_at=EPOCH)


def snapshot(
    fingerprint: str,
    *instances: Instance,
    phase: Phase = Phase.complete,
    name: str | None = None,
    images: dict[str, str] | None = None,
) -> Snapshot:
    return Snapshot(
        at=EPOCH, fingerprint=fingerprint, instances=instances, rollout=Rollout(phase=phase), name=name,
        images=images or {},
    )  # fmt: skip


def instance(state: str, **more: object) -> Instance:
    return Instance.model_validate({"id": "1", "service": "api", "name": "api-1", "state": state, **more})


def watch(state: WatchState = WatchState.arriving, seconds_ago: float = 1) -> Watch:
    changed = EPOCH - timedelta(seconds=seconds_ago)
    return Watch(
        id="w-1", target="shop", environment="production", platform="compose", revision="r2", fingerprint="old",
        state=state, opened_at=changed, changed_at=changed, seen_at=changed,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("what", "seen", "mark", "current", "expected"),
    [
        ("never seen before", snapshot("a"), None, None, Arrival.first_sight),
        ("the same runs", snapshot("old"), MARK, None, Arrival.nothing),
        ("another runs", snapshot("new"), MARK, None, Arrival.deploy),
        ("another runs, long after", snapshot("new"), MARK, watch(WatchState.watching), Arrival.deploy),
        ("the next service of an up", snapshot("new"), MARK, watch(), Arrival.same_rollout),
        (
            "another, when the rollout had been still for a while",
            snapshot("new"),
            MARK,
            watch(seconds_ago=SAME_ROLLOUT.total_seconds()),
            Arrival.deploy,
        ),
        ("nothing there, nothing watched", snapshot(""), MARK, None, Arrival.nothing),
        ("nothing there, and never was", snapshot(""), None, None, Arrival.nothing),
        ("taken down while watched", snapshot(""), MARK, watch(WatchState.watching), Arrival.taken_down),
        ("stopped while watched", snapshot("old", instance("exited")), MARK, watch(), Arrival.taken_down),
        ("stopped before it was seen", snapshot("new", instance("exited")), None, None, Arrival.nothing),
    ],
)
def test_arrival(what: str, seen: Snapshot, mark: Bookmark | None, current: Watch | None, expected: Arrival) -> None:
    assert arrival(seen, mark, current, EPOCH) is expected


@pytest.mark.parametrize(
    ("instances", "stopped"),
    [
        ([], False),
        ([instance("exited")], True),
        ([instance("exited"), instance("running")], False),
        ([instance("exited", ended_abnormally=True)], False),
        ([instance("exited"), instance("exited", ended_abnormally=True)], False),
        ([instance("dead")], False),
        ([instance("exited", one_shot=True)], False),
        ([instance("exited"), instance("running", one_shot=True)], True),
    ],
)
def test_stopped_on_purpose(instances: list[Instance], stopped: bool) -> None:
    assert stopped_on_purpose(snapshot("a", *instances)) is stopped


@pytest.mark.parametrize(
    ("names", "expected"),
    [([], "r1"), (["r1"], "r2"), (["r10", "r9", "r2"], "r11"), (["v7", "release", "r"], "r1"), (["r3", "v9"], "r4")],
)
def test_next_name(names: list[str], expected: str) -> None:
    revisions = [Revision(target="shop", id=name, fingerprint=name, seen_at=EPOCH) for name in names]
    assert next_name(revisions) == expected


@pytest.mark.parametrize(
    ("phase", "still_for", "expected"),
    [
        (Phase.complete, 3, True),
        (Phase.complete, 2.9, False),
        (Phase.arriving, 60, False),
        (Phase.failed, 60, False),
    ],
)
def test_settled(phase: Phase, still_for: float, expected: bool) -> None:
    quiet = watch(seconds_ago=still_for)
    assert settled(quiet, snapshot("a", phase=phase), timedelta(seconds=3), EPOCH) is expected


class TestForeign:
    """After a restart in the middle of a rollback: is what runs ours, or did someone deploy?"""

    def plan(self, **expected: str) -> Plan:
        return Plan(
            id="rb-1", target="shop", watch="w-1", from_revision="v2", from_fingerprint="fp-v2", to_revision="v1",
            draft=Draft(expected=expected), made_at=EPOCH,
        )  # fmt: skip

    LEFT = Revision(target="shop", id="v2", fingerprint="fp", seen_at=EPOCH, images={"api": "new", "web": "same"})

    @pytest.mark.parametrize(
        ("images", "words"),
        [
            ({"api": "new", "web": "same"}, None),
            ({"api": "old", "web": "same"}, None),
            ({"api": "third", "web": "same"}, "service api runs image third"),
            ({"api": "old", "job": "unheard of"}, None),
            ({}, None),
        ],
        ids=["nothing was done yet", "it was done", "someone's", "a service nobody planned", "all is down"],
    )
    def test_by_images(self, images: dict[str, str], words: str | None) -> None:
        assert foreign(self.plan(api="old", web="same"), self.LEFT, snapshot("x", images=images)) == words

    @pytest.mark.parametrize(("name", "words"), [("v1", None), ("v2", None), ("v3", "revision v3 runs"), (None, None)])
    def test_by_name(self, name: str | None, words: str | None) -> None:
        assert foreign(self.plan(revision="v1"), None, snapshot("x", name=name)) == words
