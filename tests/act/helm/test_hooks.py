"""Which hooks count as a migration that a rollback does not undo."""

from __future__ import annotations

import pytest

from tests.act.helm.objects import body, hook, job, parse, thing
from watchdog.act.helm.hooks import hook_objects, hooks_to_run, migrations


def ran(now, to, *between):
    return [f"{one.revision}: {one.name} {one.events} {one.phase}" for one in migrations([now, *between], to, parse)]


@pytest.mark.parametrize("event", ["pre-upgrade", "post-upgrade", "pre-install", "post-install"])
def test_a_job_that_ran_before_or_after_the_upgrade_counts(event):
    assert ran(body(7, hooks=(hook(job(), event),)), body(5)) == [f"7: Job/migrate {event} Succeeded"]


def test_a_job_that_failed_may_have_done_half_of_it():
    assert ran(body(7, hooks=(hook(job(), "pre-upgrade", phase="Failed"),)), body(5)) == [
        "7: Job/migrate pre-upgrade Failed"
    ]


@pytest.mark.parametrize(
    "one",
    [
        hook(job(), "pre-upgrade", ran_at=None),
        hook(job(), "pre-upgrade", ran_at="0001-01-01T00:00:00Z"),
        hook(job(), "pre-rollback"),
        hook(job(), "test"),
        hook(thing("ConfigMap"), "pre-upgrade"),
        hook(job(**{"deploy-watchdog/reversible": "true"}), "pre-upgrade"),
    ],
    ids=["never ran", "go's zero time", "rollback's own", "test", "runs nothing", "reversible"],
)
def test_these_do_not(one):
    assert ran(body(7, hooks=(one,)), body(5)) == []


def test_a_run_copied_from_an_older_revision_by_a_rollback_does_not_count():
    """Revision 7 brought 4 back, whose hook ran an hour before."""
    copied = hook(job(), "pre-upgrade", ran_at="2026-11-25T11:00:00Z")
    assert ran(body(7, hooks=(copied,)), body(5)) == []


def test_the_very_same_hook_had_been_run_for_the_older_revision_already():
    same = hook(job(image="app:1"), "pre-upgrade")
    assert ran(body(7, hooks=(same,)), body(5, hooks=(same,))) == []


def test_a_tag_that_moves_says_nothing_about_what_ran():
    for image in ("app:latest", "registry:5000/app"):
        same = hook(job(image=image), "pre-upgrade")
        assert ran(body(7, hooks=(same,)), body(5, hooks=(same,))) == ["7: Job/migrate pre-upgrade Succeeded"]
    pinned = hook(job(image="app@sha256:abc"), "pre-upgrade")
    assert ran(body(7, hooks=(pinned,)), body(5, hooks=(pinned,))) == []


def test_the_same_hook_with_other_sql_is_another():
    what = job(image="psql:16")
    what["spec"]["template"]["spec"]["volumes"] = [{"configMap": {"name": "sql"}}]
    same = hook(what, "pre-upgrade")
    old, new = thing("ConfigMap", "sql", data={"1": "create"}), thing("ConfigMap", "sql", data={"1": "drop"})
    assert ran(body(7, new, hooks=(same,)), body(5, old, hooks=(same,))) == ["7: Job/migrate pre-upgrade Succeeded"]
    assert ran(body(7, old, hooks=(same,)), body(5, old, hooks=(same,))) == []


def test_the_revisions_in_between_count_too():
    between = body(6, hooks=(hook(job(), "pre-upgrade"),), status="superseded")
    assert ran(body(7), body(5), between) == ["6: Job/migrate pre-upgrade Succeeded"]


def test_the_hooks_that_the_rollback_itself_runs_are_named():
    assert hooks_to_run(body(5, hooks=(hook(job("undo"), "pre-rollback"), hook(job(), "pre-upgrade")))) == [
        "Job/undo (pre-rollback hook)"
    ]


def test_objects_that_hooks_made_and_that_differ_are_named():
    now = body(7, hooks=(hook(thing("Secret", "s", data={"a": "2"}), "pre-upgrade"), hook(job(), "pre-upgrade")))
    to = body(5, hooks=(hook(thing("Secret", "s", data={"a": "1"}), "pre-upgrade"),))
    assert hook_objects(now, to) == ["Secret/s"]
    assert hook_objects(to, to) == []
