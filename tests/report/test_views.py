"""What the CLI's JSON and the API show: the whole story, and nothing that was recorded in confidence."""

import json

from watchdog.model.deploy import Revision
from watchdog.model.measurement import Measurement, Sample, Verdict
from watchdog.model.rollback import Objection, Objections
from watchdog.model.watch import WatchState
from watchdog.report.explain import explain, trips_when
from watchdog.report.status import status_view
from watchdog.report.views import history_view, incidents_view


def status(story, watch=None, pause=None, bookmark=True, now=100):
    view = status_view(
        [story.target],
        {"shop": story.bookmark} if bookmark else {},
        {"shop": watch} if watch else {},
        {"shop": pause} if pause else {},
        {"shop": story.revisions},
        story.after(now),
    )
    return view.targets[0]


def test_a_target_that_was_never_seen(story):
    assert (status(story, bookmark=False).state, status(story, bookmark=False).headline) == (
        "unseen",
        "no deploy has been seen yet",
    )


def test_an_idle_target_says_what_runs_and_what_a_rollback_would_go_to(story):
    shown = status(story, story.watch)
    assert (shown.state, shown.revision, shown.known_good, shown.rollback_to) == ("idle", "r9", True, "r7")
    assert shown.headline == "known good"


def test_a_watch_says_when_it_passes(story):
    watching = story.watch_of(WatchState.watching, plan=None, decision=None, ended_at=None, end_reason="")
    shown = status(story, watching)
    assert shown.headline == "being watched, passes in 8m25s if nothing trips"
    assert shown.watch.passes_at == story.after(605)
    assert [(r.rule, r.tripped, r.failures, r.measured) for r in shown.watch.rules] == [
        ("crash-loop", False, 0, 12),
        ("latency-p99", True, 10, 12),
    ]


def test_a_pause_shows_until_it_is_over(story):
    assert status(story, pause=story.pause).state == "paused"
    assert "paused by ada: database migration" in status(story, pause=story.pause).headline
    over = story.pause.model_copy(update={"until": story.after(50)})
    assert status(story, pause=over).pause is None


def test_history_joins_each_revision_with_its_watch(story):
    view = history_view(story.target, story.revisions, [story.watch], "r9")
    assert [(r.id, r.running, r.watch_state, r.condemned) for r in view.revisions] == [
        ("r9", True, None, False),
        ("r8", False, "recovered", True),
        ("r7", False, None, False),
    ]


def test_incidents_say_how_long_they_took(story):
    (shown,) = incidents_view([story.incident]).incidents
    assert (shown.state, shown.open, shown.seconds) == ("recovered", False, 38.0)


def whole(story):
    return explain(
        story.incident,
        story.watch,
        events=story.events,
        measurements=story.measurements,
        evidence=story.evidence,
        rollback=story.rollback,
        revisions=story.revisions,
        rules=story.target.rules,
    )


def test_an_explanation_has_every_query_threshold_verdict_and_reason_in_order(story):
    told = whole(story)
    latency, crash = told.rules
    assert (latency.rule, latency.tripped, latency.fail_when, latency.trips) == (
        "latency-p99",
        True,
        "value > 1.0",
        "failing for 45s",
    )
    assert latency.verdicts == {"pass": 2, "fail": 10, "inconclusive": 1}
    assert [m.seconds for m in latency.measurements] == sorted(m.seconds for m in latency.measurements)
    assert latency.measurements[2].reason == "1.83 > 1.0"
    assert latency.measurements[2].samples[0].value == 1.83
    assert crash.tripped is False
    assert [line.kind for line in told.timeline][:3] == ["deploy.seen", "note", "rule.tripped"]
    assert told.plan.commands[0][:2] == ("docker", "compose")
    assert told.rollback.ok is True
    assert told.from_revision.id == "r8"
    assert told.to_revision.exact is False
    assert told.verification.lines[0] == "api runs sha256:1111, as planned"


def test_it_is_strict_json_also_with_nan(story):
    def refuse(constant):
        raise AssertionError(constant)

    told = json.loads(whole(story).model_dump_json(), parse_constant=refuse)
    assert told["rules"][0]["measurements"][-1]["samples"][0]["value"] == "NaN"


def test_what_was_recorded_of_a_revision_is_never_shown(story):
    shown = whole(story).model_dump_json() + history_view(story.target, story.revisions, [], "r9").model_dump_json()
    assert story.secret not in shown
    assert "recorded" not in shown


def test_a_rule_that_left_the_config_is_told_from_its_measurements(story):
    odd = Measurement(
        watch=story.watch.id, rule="gone", at=story.after(9), query="up", verdict=Verdict.failed, reason="0 < 1",
        samples=(Sample(value=0),), series=1,
    )  # fmt: skip
    told = explain(story.incident, story.watch, measurements=[odd], rules=story.target.rules)
    gone = next(rule for rule in told.rules if rule.rule == "gone")
    assert (gone.fail_when, gone.measurements[0].reason) == (None, "0 < 1")


def test_an_objection_has_its_name_and_reason(story):
    blocked = story.watch_of(
        WatchState.blocked, plan=None, objection=Objection(name=Objections.cooldown, reason="12m ago, less than 30m")
    )
    told = explain(story.incident, blocked)
    assert (told.objection, told.objection_reason) == ("cooldown", "12m ago, less than 30m")


def test_how_often_a_rule_must_fail_in_words(story):
    rule = story.target.rule("latency-p99")
    said = {
        "failure_limit": {0: "more than 0 failures", 1: "more than 1 failure"},
        "consecutive_failures": {1: "the first failure", 3: "3 failures in a row"},
    }
    for field, cases in said.items():
        for count, words in cases.items():
            assert trips_when(rule.model_copy(update={"for_": None, field: count})) == words


def test_every_field_of_a_revision_is_shown_or_left_out_on_purpose():
    from watchdog.report.views import RevisionView

    left_out = set(Revision.model_fields) - set(RevisionView.model_fields)
    assert left_out == {"target", "fingerprint", "recorded"}


def test_what_the_platform_itself_keeps(story):
    view = history_view(story.target, story.revisions, [story.watch], "r9", kept=("r9", "r6"))
    assert [(r.id, r.kept) for r in view.revisions if r.kept] == [("r9", True)]
    assert view.unseen == ("r6",)
    assert history_view(story.target, story.revisions, [story.watch], "r9").revisions[0].kept is None
