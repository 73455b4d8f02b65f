"""status, history, incidents and explain: from the store alone, for people and for machines."""

from __future__ import annotations

import pytest

from tests.cli.shop import Shop

pytestmark = pytest.mark.slow

STATUS = {
    "name", "environment", "platform", "mode", "state", "headline", "revision", "revision_seen_at", "summary",
    "known_good", "rollback_to", "pause", "watch",
}  # fmt: skip
REVISION = {
    "id", "seen_at", "summary", "running", "known_good", "known_good_at", "known_good_because", "condemned", "exact",
    "note", "images", "same_as", "watch", "watch_state", "incident", "kept",
}  # fmt: skip
INCIDENT = {
    "id", "target", "environment", "revision", "watch", "state", "open", "opened_at", "closed_at", "seconds",
    "headline", "rules",
}  # fmt: skip
EXPLANATION = {
    "incident", "watch", "from_revision", "to_revision", "decision", "decision_reason", "objection",
    "objection_reason", "plan", "rollback", "verification", "timeline", "rules", "evidence",
}  # fmt: skip


@pytest.fixture
def rolled_back(shop: Shop) -> Shop:
    """v1 ran, v2 came, a person rolled it back."""
    assert shop.run("approve", "shop").code == 0
    shop.service.deploy("v2")
    assert shop.run("rollback", "shop").code == 0
    return shop


def test_nothing_was_seen_yet(shop: Shop) -> None:
    (target,) = shop.run("status", "--output", "json").json["targets"]
    assert target["state"] == "unseen"
    assert shop.run("history", "shop", "-o", "json").json["revisions"] == []
    assert shop.run("incidents", "-o", "json").json == {"incidents": []}
    none = shop.run("explain", "last")
    assert (none.code, none.out, none.err) == (4, "", "there has been no incident yet\n")


def test_the_fields_for_machines_stay(rolled_back: Shop) -> None:
    status = rolled_back.run("status", "-o", "json").json
    assert set(status) == {"at", "targets"}
    assert [set(t) for t in status["targets"]] == [STATUS]
    assert (status["targets"][0]["revision"], status["targets"][0]["known_good"]) == ("v1", True)
    history = rolled_back.run("history", "shop", "-o", "json").json
    assert set(history) == {"target", "environment", "revisions", "unseen"}
    assert all(set(r) == REVISION for r in history["revisions"])
    assert [(r["id"], r["running"], r["condemned"]) for r in history["revisions"]] == [
        ("v2", False, True),
        ("v1", True, False),
    ]
    (incident,) = rolled_back.run("incidents", "-o", "json").json["incidents"]
    assert set(incident) == INCIDENT
    assert (incident["state"], incident["open"]) == ("recovered", False)
    story = rolled_back.run("explain", incident["id"], "-o", "json").json
    assert set(story) == EXPLANATION
    assert (story["plan"]["by"], story["plan"]["to_revision"], story["rollback"]["ok"]) == ("ada", "v1", True)
    assert story == rolled_back.run("explain", "last", "-o", "json").json


def test_people_read_the_same(rolled_back: Shop) -> None:
    assert "v1 *" in rolled_back.run("status").out
    history = rolled_back.run("history", "shop").out
    assert "known good" in history
    assert "rolled back" in history
    assert "recovered" in rolled_back.run("incidents", "--target", "shop").out
    story = rolled_back.run("explain", "last", "--all").out
    for told in ("asked for by ada", "plan is to restore v1", "recovered on v1", "probe-api", "DB_PASSWORD=***"):
        assert told in story
    assert "hunter2000" not in story


def test_an_unknown_incident_lists_the_known(rolled_back: Shop) -> None:
    (incident,) = rolled_back.run("incidents", "-o", "json").json["incidents"]
    done = rolled_back.run("explain", "inc-nope")
    assert (done.code, done.err) == (4, f"no incident is called 'inc-nope'; the latest: {incident['id']}\n")


def test_an_unknown_target_lists_the_known(shop: Shop) -> None:
    done = shop.run("history", "shoop")
    assert (done.code, done.err) == (4, f"no target 'shoop' in {shop.config}; it has: shop\n")


def test_the_limit(rolled_back: Shop) -> None:
    assert [r["id"] for r in rolled_back.run("history", "shop", "-n", "1", "-o", "json").json["revisions"]] == ["v2"]
    assert rolled_back.run("history", "shop", "-n", "0").code == 2


@pytest.mark.parametrize(
    "words", [["status"], ["history", "shop"], ["incidents"], ["explain", "last"]], ids=lambda w: w[0]
)
def test_a_damaged_state_says_so_and_is_left_alone(shop: Shop, words: list[str]) -> None:
    state = shop.folder / "state.db"
    state.write_bytes(b"not a database at all, and long enough to look at" * 50)
    before = state.read_bytes()
    done = shop.run(*words)
    assert done.code == 3
    assert "state.db" in done.err
    assert state.read_bytes() == before
