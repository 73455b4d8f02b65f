"""What people read: complete without colour, within 80 columns, and safe to print."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from watchdog.model.rollback import Objection, Objections
from watchdog.model.watch import WatchState
from watchdog.report.explain import explain
from watchdog.report.render import history_table, incidents_table, span, status_table
from watchdog.report.status import status_view
from watchdog.report.story import explanation
from watchdog.report.views import history_view, incidents_view


def shown(renderable, width=80):
    out = io.StringIO()
    Console(file=out, width=width, no_color=True, force_terminal=False).print(renderable)
    text = out.getvalue()
    assert all(cell_len(line) <= width for line in text.splitlines())
    return text


def told(story, **changes):
    given = {
        "events": story.events,
        "measurements": story.measurements,
        "evidence": story.evidence,
        "rollback": story.rollback,
        "revisions": story.revisions,
        "rules": story.target.rules,
    }
    return explain(story.incident, changes.pop("watch", story.watch), **{**given, **changes})


@pytest.mark.parametrize("width", [80, 120])
def test_an_explanation_reads_from_headline_to_evidence(story, width):
    text = shown(explanation(told(story)), width)
    parts = [
        "inc-0123456789: recovered",
        "What happened",
        "shop recovered on r7",
        "latency-p99 tripped  2 pass",
        "fails when value > 1.0; trips on failing for 45s, then rollback",
        "1.83 > 1.0",
        "crash-loop did not trip",
        "docker compose -p shop up",
        "warning",
        "result    done in 4.2s",
        "probe api passes",
        "39 upstream timed out",
    ]
    positions = [text.find(part) for part in parts]
    assert -1 not in positions, parts[positions.index(-1)]
    assert positions == sorted(positions)


def test_measurements_are_collapsed_unless_all_are_asked_for(story):
    assert "5 more like the one before" not in shown(explanation(told(story), all_measurements=True))
    few, every = shown(explanation(told(story))), shown(explanation(told(story), all_measurements=True))
    assert few.count(" fail ") < 10 <= every.count(" fail ")
    assert "+1m00s   fail" in few, "the failure that tripped it is shown"


def test_text_from_outside_cannot_mark_up_or_steer_the_terminal(story):
    text = shown(explanation(told(story)))
    assert "\x1b" not in text
    assert "[bold]markup[/bold]" in text


def test_a_blocked_incident_shows_why(story):
    objection = Objection(name=Objections.max_per_day, reason="3 automatic rollbacks in 24 h, and max_per_day is 3")
    blocked = story.watch_of(WatchState.blocked, plan=None, verification=None, objection=objection)
    text = shown(explanation(told(story, watch=blocked, rollback=None)))
    assert "not rolled back" in text
    assert "max_per_day" in text
    assert "What was done" not in text


def test_an_unfinished_and_a_failed_rollback_say_so(story):
    assert "not begun" in shown(explanation(told(story, rollback=None)))
    begun = story.rollback.model_copy(update={"result": None, "finished_at": None})
    assert "its end was not seen" in shown(explanation(told(story, rollback=begun)))
    bad = story.rollback.result.model_copy(update={"ok": False, "reason": "exit code 1", "output": "no such image"})
    text = shown(explanation(told(story, rollback=story.rollback.model_copy(update={"result": bad}))))
    assert "FAILED in 4.2s: exit code 1" in text
    assert "no such image" in text


def test_status_history_and_incidents_fit(story):
    watching = story.watch_of(WatchState.watching, plan=None, decision=None, ended_at=None, end_reason="")
    status = status_view(
        [story.target], {"shop": story.bookmark}, {"shop": watching}, {}, {"shop": story.revisions}, story.after(100)
    )
    assert "10/12" in shown(status_table(status))
    history = shown(history_table(history_view(story.target, story.revisions, [story.watch], "r9")))
    assert "rolled back" in history
    assert "not exact" in history
    assert "(38.0s)" in shown(incidents_table(incidents_view([story.incident])))


def test_nothing_yet_is_said_in_words(story):
    assert "no incidents" in shown(incidents_table(incidents_view([])))
    assert "no revision of shop" in shown(history_table(history_view(story.target, [], [], None)))
    assert "no targets" in shown(status_table(status_view([], {}, {}, {}, {}, story.began)))


def test_spans():
    assert [span(s) for s in (None, 0.04, 59.9, 61, 3599, 7380)] == ["", "0.0s", "59.9s", "1m01s", "59m59s", "2h03m"]
