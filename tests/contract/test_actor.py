"""The promises of act/base.py, asked of every actor."""

from __future__ import annotations

import pytest

from tests.contract.worlds import Case
from watchdog.errors import Refused
from watchdog.model.deploy import Revision, Snapshot
from watchdog.model.rollback import Plan
from watchdog.testing import EPOCH


def look(case: Case) -> Snapshot:
    return case.platform().snapshot(case.target, EPOCH)


@pytest.fixture
def v1(case: Case) -> Revision:
    """v1 as it is recorded; then v2 is deployed."""
    seen = look(case)
    recorded = case.platform().record(case.target, seen, None)
    case.deploy("v2")
    return Revision(
        target="shop", id=seen.name or "r1", fingerprint=seen.fingerprint, seen_at=EPOCH, images=recorded.images,
        recorded=recorded.recorded,
    )  # fmt: skip


def plan(case: Case, to: Revision) -> Plan:
    running = look(case)
    return Plan(
        id="rb-1", target="shop", watch="w-1", from_revision="v2", from_fingerprint=running.fingerprint,
        to_revision=to.id, draft=case.actor.draft(case.target, to, running), made_at=EPOCH,
    )  # fmt: skip


def test_a_draft_changes_nothing_and_says_what_would(case: Case, v1: Revision) -> None:
    draft = plan(case, v1).draft
    assert draft.changes == ("api",)
    assert draft.expected
    assert draft.commands
    assert (case.running(), case.acts()) == ("v2", 0)
    assert plan(case, v1).draft == draft, "the same question has the same answer"


def test_a_revision_that_is_gone_is_refused(case: Case, v1: Revision) -> None:
    case.lose("v1")
    with pytest.raises(Refused, match="v1"):
        plan(case, v1)


def test_it_brings_back_what_was_planned(case: Case, v1: Revision) -> None:
    planned = plan(case, v1)
    assert case.actor.matches(case.target, planned, look(case)), "not yet"
    result = case.actor.execute(case.target, planned, v1)
    assert result.ok, result.reason
    assert case.running() == "v1"
    assert look(case).fingerprint == v1.fingerprint
    assert case.actor.matches(case.target, planned, look(case)) == []


def test_the_same_plan_again_leaves_alone_what_is_as_planned(case: Case, v1: Revision) -> None:
    planned = plan(case, v1)
    case.actor.execute(case.target, planned, v1)
    again = case.actor.execute(case.target, planned, v1)
    assert again.ok, again.reason
    assert case.acts() == 1


def test_a_plan_is_carried_out_by_another_process_as_well(case: Case, v1: Revision) -> None:
    stored = Plan.model_validate_json(plan(case, v1).model_dump_json())
    to = Revision.model_validate_json(v1.model_dump_json())
    assert case.actor.execute(case.target, stored, to).ok
    assert case.running() == "v1"


def test_a_failure_is_a_result_with_its_reason(case: Case, v1: Revision) -> None:
    planned = plan(case, v1)
    case.fail_acts()
    result = case.actor.execute(case.target, planned, v1)
    assert not result.ok
    assert "gave up" in result.reason
    assert case.actor.matches(case.target, planned, look(case))


def test_matches_reads_only_what_it_is_given(case: Case, v1: Revision) -> None:
    planned, running = plan(case, v1), look(case)
    before = case.actor.matches(case.target, planned, running)
    case.actor.execute(case.target, planned, v1)
    assert case.actor.matches(case.target, planned, running) == before
    case.break_it()
    assert case.actor.matches(case.target, planned, running) == before


def test_preserving_changes_nothing_that_runs(case: Case, v1: Revision) -> None:
    case.actor.preserve(case.target, [v1])
    case.actor.preserve(case.target, [])
    assert case.running() == "v2"
    assert case.acts() == 0
