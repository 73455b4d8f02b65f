"""Each objection, its words, and what it is asked of: the guard is a pure function of facts and the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.act.guard import Facts, objections, safe_revision
from watchdog.model.deploy import Revision
from watchdog.model.incident import Pause
from watchdog.model.rollback import Objection, Objections, Rollback
from watchdog.model.rule import Mode
from watchdog.model.target import RollbackPolicy
from watchdog.model.watch import Watch, WatchState

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def revision(name: str, **changes: Any) -> Revision:
    fields: dict[str, Any] = {"target": "shop", "id": name, "fingerprint": f"fp-{name}", "seen_at": NOW}
    return Revision.model_validate(fields | changes)


def watch(**changes: Any) -> Watch:
    fields: dict[str, Any] = {
        "id": "w-1", "target": "shop", "environment": "production", "platform": "compose", "revision": "v2",
        "fingerprint": "fp-v2", "state": WatchState.condemned, "opened_at": NOW, "changed_at": NOW, "seen_at": NOW,
    }  # fmt: skip
    return Watch.model_validate(fields | changes)


def rollback(minutes_ago: float, **changes: Any) -> Rollback:
    fields: dict[str, Any] = {
        "id": f"rb-{minutes_ago}", "target": "shop", "watch": "w-0", "from_revision": "v1", "to_revision": "v0",
        "automatic": True, "started_at": NOW - timedelta(minutes=minutes_ago),
    }  # fmt: skip
    return Rollback.model_validate(fields | changes)


def facts(**changes: Any) -> Facts:
    fields: dict[str, Any] = {
        "watch": watch(), "policy": RollbackPolicy(), "pause": None, "rollbacks": (),
        "candidate": revision("v1", known_good=True), "running_fingerprint": "fp-v2", "owner": "me", "me": "me",
    }  # fmt: skip
    return Facts.model_validate(fields | changes)


MANUAL = watch(origin="manual", requested_by="ada")


def paused(minutes: float | None) -> Pause:
    until = NOW + timedelta(minutes=minutes) if minutes is not None else None
    return Pause(target="shop", since=NOW, until=until, reason="load test", by="ada")


def said(**changes: Any) -> list[tuple[str, str]]:
    return [(o.name.value, o.reason) for o in objections(facts(**changes), NOW)]


def test_nothing_speaks_against_it() -> None:
    assert said() == []


DRAFTED = (
    Objection(name=Objections.migration_ran, reason="hook Job migrate-2 ran", hold=True),
    Objection(name=Objections.gitops_owner, reason="Flux HelmRelease shop would undo it"),
    Objection(name=Objections.data_at_risk, reason="PersistentVolumeClaim data would be deleted", hold=True),
)
"""What a draft itself objects to, by the target's policy."""


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"owner": "other:1"}, "another_owner", "another watchdog (other:1) owns this target now"),
        ({"owner": None}, "another_owner", "another watchdog (unknown) owns this target now"),
        (
            {"rollbacks": (rollback(1, watch="w-1", to_revision="v1"),)},
            "already_rolled_back",
            "this watch already rolled back to v1 at 11:59:00 UTC; there is no second try by itself",
        ),
        (
            {"running_fingerprint": "fp-v3"},
            "newer_deploy",
            "v2 is not what runs any more: a newer deploy is arriving",
        ),
        (
            {"candidate": None},
            "no_safe_revision",
            (
                "no other revision is known to be good; approve one, or name one with "
                "`watchdog rollback shop --to REVISION`"
            ),
        ),
        (
            {"candidate": None, "watch": watch(requested_revision="v9")},
            "no_safe_revision",
            "revision v9 is not known; `watchdog history shop` lists those that are",
        ),
        ({"candidate": revision("v2")}, "no_safe_revision", "revision v2 is what runs already"),
        (
            {"candidate": revision("v1", fingerprint="fp-v2")},
            "no_safe_revision",
            "revision v1 is what runs already",
        ),
        ({"cannot_plan": "image sha256:1 is gone"}, "cannot_plan", "image sha256:1 is gone"),
        ({"pause": paused(None)}, "paused", "ada paused this target until resumed: load test"),
        ({"pause": paused(90)}, "paused", "ada paused this target until 2026-01-01 13:30 UTC: load test"),
        ({"watch": watch(mode=Mode.dry_run)}, "dry_run", "this target is in dry run: everything but the act"),
        ({"rollbacks": (rollback(12),)}, "cooldown", "the last rollback began 12m ago, less than 30m"),
        (
            {"rollbacks": (rollback(60), rollback(120), rollback(180))},
            "max_per_day",
            "3 rollbacks in 24 hours, max_per_day is 3",
        ),
        ({"policy": RollbackPolicy(max_per_day=0)}, "max_per_day", "0 rollbacks in 24 hours, max_per_day is 0"),
        *(({"drafted": (no,)}, no.name.value, no.reason) for no in DRAFTED),
    ],
)
def test_each_objection_in_its_words(changes: dict[str, Any], name: str, words: str) -> None:
    assert said(**changes) == [(name, words)]


def test_every_objection_has_an_example_here() -> None:
    marks = test_each_objection_in_its_words.pytestmark
    assert {case[1] for case in marks[0].args[1]} == {o.value for o in Objections}


def test_a_pause_that_is_over_is_none() -> None:
    assert said(pause=paused(0)) == []
    assert said(pause=paused(-5)) == []


def test_the_cooldown_ends_and_the_day_passes() -> None:
    assert said(rollbacks=(rollback(30),)) == []
    assert said(rollbacks=(rollback(60), rollback(120), rollback(24 * 60))) == []


def test_peoples_own_rollbacks_cost_no_budget() -> None:
    by_hand = tuple(rollback(minutes, automatic=False) for minutes in (1, 2, 3, 4))
    assert said(rollbacks=by_hand) == []


def test_a_clock_that_went_back_does_not_end_a_cooldown() -> None:
    assert [name for name, _ in said(rollbacks=(rollback(-10),))] == ["cooldown"]


def test_the_most_telling_comes_first() -> None:
    names = [name for name, _ in said(owner="other", running_fingerprint="fp-v3", candidate=None, pause=paused(None))]
    assert names == ["another_owner", "newer_deploy", "no_safe_revision", "paused"]


class TestSafeRevision:
    def test_the_one_that_was_last_known_to_be_good(self) -> None:
        ledger = [
            revision("v2"),
            revision("v1", known_good=True, known_good_at=NOW - timedelta(hours=2)),
            revision("v0", known_good=True, known_good_at=NOW - timedelta(hours=1)),
        ]
        assert safe_revision(ledger, watch()).id == "v0"

    @pytest.mark.parametrize(
        "unsafe",
        [
            revision("v1"),
            revision("v1", known_good=True, condemned=True),
            revision("v2", known_good=True),
            revision("v1", known_good=True, fingerprint="fp-v2"),
        ],
        ids=["not known good", "rolled back from", "the watched one", "the same by another name"],
    )
    def test_never(self, unsafe: Revision) -> None:
        assert safe_revision([unsafe], watch()) is None

    def test_a_person_may_name_any_that_is_known(self) -> None:
        ledger = [revision("v2"), revision("v1", condemned=True)]
        assert safe_revision(ledger, watch(requested_revision="v1")).id == "v1"
        assert safe_revision(ledger, watch(requested_revision="v9")) is None


pauses = st.none() | st.builds(paused, st.none() | st.integers(-60, 60))
ledgers = st.lists(st.tuples(st.integers(0, 3000), st.booleans(), st.sampled_from(["w-0", "w-1"])), max_size=6).map(
    lambda rows: tuple(
        rollback(minutes, automatic=automatic, watch=of, id=f"rb-{i}")
        for i, (minutes, automatic, of) in enumerate(sorted(rows))
    )
)
policies = st.builds(
    lambda minutes, most: RollbackPolicy(cooldown=timedelta(minutes=minutes), max_per_day=most),
    st.integers(0, 120),
    st.integers(0, 4),
)


@given(pauses, ledgers, policies, st.sampled_from(list(Mode)))
def test_automatic_needs_all_of_it(
    pause: Pause | None, ledger: tuple[Rollback, ...], policy: RollbackPolicy, mode: Mode
) -> None:
    """Said again in the shortest way, beside the guard's own code: it objects exactly when one of these is true."""
    others = [r for r in ledger if r.automatic and r.watch != "w-1"]
    ages = [NOW - r.started_at for r in others]
    expected = set()
    if any(r.watch == "w-1" for r in ledger):
        expected.add("already_rolled_back")
    if pause is not None and (pause.until is None or pause.until > NOW):
        expected.add("paused")
    if mode is Mode.dry_run:
        expected.add("dry_run")
    if any(age < policy.cooldown for age in ages):
        expected.add("cooldown")
    if sum(age < timedelta(hours=24) for age in ages) >= policy.max_per_day:
        expected.add("max_per_day")
    given_facts = facts(watch=watch(mode=mode), pause=pause, rollbacks=ledger, policy=policy)
    assert {o.name.value for o in objections(given_facts, NOW)} == expected


@given(pauses, ledgers, policies, st.sampled_from(list(Mode)))
def test_a_person_is_bound_by_no_pause_and_no_budget(
    pause: Pause | None, ledger: tuple[Rollback, ...], policy: RollbackPolicy, mode: Mode
) -> None:
    manual = MANUAL.model_copy(update={"mode": mode})
    elsewhere = tuple(r for r in ledger if r.watch != "w-1")
    assert objections(facts(watch=manual, pause=pause, rollbacks=elsewhere, policy=policy), NOW) == ()


def test_a_person_overrides_what_the_policies_object_to() -> None:
    assert said(drafted=DRAFTED, watch=watch(origin="manual")) == []


def test_a_reversible_rule_speaks_for_migrations_only() -> None:
    assert [name for name, _ in said(drafted=DRAFTED, reversible=True)] == ["gitops_owner", "data_at_risk"]


def test_what_the_platform_does_not_keep_any_more_is_passed_over() -> None:
    old = revision("v1", known_good=True, known_good_at=NOW)
    older = revision("v0", known_good=True, known_good_at=NOW - timedelta(hours=1))
    assert safe_revision([old, older], watch()) == old
    assert safe_revision([old, older], watch(), kept=("v2", "v0")) == older


def test_with_nothing_good_kept_the_newest_is_named_and_the_draft_says_what_is_lost() -> None:
    lost = revision("v1", known_good=True)
    assert safe_revision([lost], watch(), kept=("v2",)) == lost
