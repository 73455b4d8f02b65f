"""Rolling a command target back: planned from its history, run once, within its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.command_target import Programs
from watchdog.act.command import CommandActor
from watchdog.errors import Refused, Unavailable
from watchdog.model.deploy import Instance, Phase, Revision, Rollout, Snapshot
from watchdog.model.rollback import Draft, Plan
from watchdog.model.target import RollbackPolicy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
V1 = Revision(target="shop", id="v1", fingerprint="v1", seen_at=NOW)


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    programs = Programs(tmp_path)
    programs.status(revision="v2", phase="complete")
    programs.history("v2", "v1")
    return programs


def running(name: str | None, phase: Phase = Phase.complete, reason: str = "") -> Snapshot:
    instances = tuple(Instance(id=s, service=s, name=s) for s in ("web", "api", "web"))
    rollout = Rollout(phase=phase, reason=reason)
    return Snapshot(at=NOW, fingerprint=name or "", name=name, instances=instances, rollout=rollout)


def planned(draft: Draft) -> Plan:
    return Plan(
        id="p1", target="shop", watch="w1", from_revision="v2", from_fingerprint="v2", to_revision="v1", draft=draft,
        made_at=NOW,
    )  # fmt: skip


def test_a_draft_names_the_program_and_changes_nothing(programs):
    draft = CommandActor().draft(programs.target(environment="staging"), V1, running("v2"))
    assert draft.expected == {"revision": "v1"}
    assert draft.changes == ("api", "web")
    assert draft.commands[0][-3:] == ("rollback", "--to=v1", "staging")
    assert draft.warnings == ()
    assert programs.calls("rollback") == []


def test_the_targets_own_vars_fill_in_the_program_but_not_the_revision(programs):
    target = programs.target(vars={"zone": "eu", "revision": "v9"})
    rollback = (*target.spec.rollback, "{{ zone }}")
    target = target.model_copy(update={"spec": target.spec.model_copy(update={"rollback": rollback})})
    assert CommandActor().draft(target, V1, running("v2")).commands[0][-3:] == ("--to=v1", "production", "eu")


def test_an_unknown_name_is_refused(programs):
    target = programs.target()
    spec = target.spec.model_copy(update={"rollback": ("x", "{{ zone }}")})
    with pytest.raises(Refused, match="'zone' is undefined"):
        CommandActor().draft(target.model_copy(update={"spec": spec}), V1, running("v2"))


def test_a_revision_that_is_gone_is_refused(programs):
    programs.history("v2")
    with pytest.raises(Refused, match="does not list revision v1 any more; it lists: v2"):
        CommandActor().draft(programs.target(), V1, running("v2"))


def test_a_history_that_fails_is_unavailable(programs):
    programs.does("history", "sys.exit(1)")
    with pytest.raises(Unavailable, match="history"):
        CommandActor().draft(programs.target(), V1, running("v2"))


def test_it_warns_of_what_the_revision_notes_and_of_what_runs(programs):
    noted = V1.model_copy(update={"note": "the schema stays new"})
    draft = CommandActor().draft(programs.target(), noted, running("v1"))
    assert draft.warnings == ("the schema stays new", "v1 runs already")


def execute(programs, timeout=timedelta(seconds=200)):
    target = programs.target(rollback=RollbackPolicy(timeout=timeout))
    actor = CommandActor({"DEPLOY_TOKEN": "hunter2"})
    return actor.execute(target, planned(actor.draft(target, V1, running("v2"))), V1)


def test_the_planned_program_is_run(programs):
    programs.does("rollback", "print('going back'); print(os.environ['DEPLOY_TOKEN'], file=sys.stderr)")
    result = execute(programs)
    assert result.ok
    assert "exited with code 0" in result.reason
    assert result.output == "going back\n***"
    assert programs.calls("rollback") == [["--to=v1", "production"]]


def test_a_failure_is_a_result(programs):
    programs.does("rollback", "print('x' * 200_000); sys.exit('no space left')")
    result = execute(programs)
    assert not result.ok
    assert "exited with code 1: no space left" in result.reason
    assert len(result.output) < 70_000


def test_a_hanging_program_is_stopped(programs):
    programs.does("rollback", "time.sleep(60)")
    result = execute(programs, timedelta(seconds=0.5))
    assert not result.ok
    assert "did not finish in time" in result.reason


def test_a_missing_program_is_a_result(programs):
    plan = planned(Draft(expected={"revision": "v1"}, commands=(("/no/such/program",),)))
    result = CommandActor().execute(programs.target(), plan, V1)
    assert not result.ok
    assert "no such program" in result.reason


def test_what_is_back_already_is_left_alone(programs):
    programs.status(revision="v1", phase="complete")
    result = execute(programs)
    assert (result.ok, result.reason) == (True, "v1 runs already; nothing was done")
    assert programs.calls("rollback") == []


@pytest.mark.parametrize("phase", ["arriving", "failed"])
def test_what_is_only_half_back_is_finished(programs, phase):
    programs.status(revision="v1", phase=phase)
    assert execute(programs).ok
    assert len(programs.calls("rollback")) == 1


def test_a_status_that_fails_does_not_stop_a_rollback(programs):
    programs.does("status", "sys.exit(1)")
    assert execute(programs).ok
    assert len(programs.calls("rollback")) == 1


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (running("v1"), []),
        (running("v2"), ["revision v2 runs, not v1"]),
        (running(None), ["revision none runs, not v1"]),
        (running("v1", Phase.arriving), ["the rollout of v1 is arriving"]),
        (running("v1", Phase.failed, "unit failed"), ["the rollout of v1 is failed: unit failed"]),
    ],
)
def test_what_runs_is_compared_with_the_plan(programs, snapshot, words):
    plan = planned(Draft(expected={"revision": "v1"}))
    assert CommandActor().matches(programs.target(), plan, snapshot) == words
