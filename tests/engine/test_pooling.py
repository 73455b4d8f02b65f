"""Crash and probe rules beside compare rules: what they lend, and what a trip of all together says."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.engine.conftest import CRASH, PROBE, rule
from tests.engine.test_comparing import ERRORS, SHADOW, Served
from tests.waiting import within
from watchdog.engine.pooling import lenders, pool_of, weights
from watchdog.judge.compare.failures import restarted
from watchdog.model.comparison import Finding
from watchdog.model.rule import Action, CommandMeasure, CompareMeasure, CrashesMeasure, Mode, Rule
from watchdog.model.watch import WatchState
from watchdog.report.comparison import comparison_text
from watchdog.report.explain import explain

SELDOM = CRASH.model_copy(update={"fail_when": "value >= 9"})
KILLS = CRASH.model_copy(update={"name": "oom", "measure": CrashesMeasure(count="oom_kills")})
SLOW = ERRORS.model_copy(
    update={
        "name": "latency-vs-before",
        "measure": CompareMeasure.model_validate({"signal": "latency", "buckets": "b"}),
    }
)
PATIENT = PROBE.model_copy(update={"consecutive_failures": 1000})


def named(rules: list[Rule]) -> list[str]:
    return [r.name for r in rules]


def test_which_rules_lend() -> None:
    number = rule("queue", measure=CommandMeasure(argv=("queue",), output="number"))
    assert named(lenders([ERRORS, KILLS, CRASH, PROBE, number])) == ["crash-loop", "probe-api"]
    assert named(lenders([ERRORS, KILLS])) == ["oom"]


@pytest.mark.parametrize("change", [{"mode": Mode.dry_run}, {"action": Action.alert}])
def test_rules_that_may_not_decide_lend_nothing(change: dict[str, object]) -> None:
    assert lenders([ERRORS, CRASH.model_copy(update=change)]) == []


def test_where_nothing_is_compared_nothing_is_lent() -> None:
    assert lenders([CRASH, PROBE]) == []
    assert lenders([SHADOW, CRASH, PROBE]) == []


def test_shares_of_the_budget() -> None:
    assert weights([ERRORS, SLOW, CRASH, PROBE], Mode.enforce) == pytest.approx(
        {"errors-vs-before": 0.375, "latency-vs-before": 0.375, "crash-loop": 0.125, "probe-api": 0.125}
    )
    assert weights([ERRORS, SHADOW, CRASH], Mode.dry_run) == {"shadow": 1.0}
    assert named(pool_of([ERRORS, SHADOW, CRASH], Mode.enforce)) == ["errors-vs-before"]


def lent(g: Served, name: str) -> Finding | None:
    return g.watch.findings.get(name)


def test_restarts_and_errors_are_one_reason() -> None:
    """Neither would do: the crash rule wants nine, and the errors are few."""
    g = Served(ERRORS, SELDOM, PROBE)
    g.share = 0.018
    g.deploy("v2")
    g.run(60)
    g.world.crash(g.clock.now())
    g.run(20)
    g.world.crash(g.clock.now())
    took = 80 + g.until(lambda: g.watch.condemned_at is not None)
    assert g.watch.decision is not None
    assert g.watch.decision.rules == ("errors-vs-before",)
    assert "; together with 2 restarts in" in g.watch.decision.reason
    assert took <= 330  # the errors alone would take longer


def test_a_trip_of_all_together_is_not_taken_back() -> None:
    """The fault goes at once, and a new process reads what was stored: the reason is as it was."""
    g = Served(ERRORS, SELDOM, PROBE, mode="dry_run")
    g.share = 0.018
    g.deploy("v2")
    g.run(60)
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    g.until(lambda: g.watch.condemned_at is not None)
    said = g.watch.progress["errors-vs-before"].trip_reason
    assert "together with 2 restarts in" in said
    g.share, g.world.exits = 0.0, []
    g.engine.stop()
    g.clock.advance(120)
    g.engine = g.another("next")
    g.run(600)
    assert g.watch.state is WatchState.blocked
    assert g.watch.progress["errors-vs-before"].trip_reason == said


def test_a_rule_that_only_watches_stays_tripped_over_a_gap() -> None:
    """Better numbers, a pause of the daemon and a new process: what was found stays found."""
    g = Served(SHADOW, CRASH)
    g.share = 0.08
    g.deploy("v2")
    g.until(lambda: g.watch.progress["shadow"].tripped if "shadow" in g.watch.progress else False)
    said = g.watch.progress["shadow"].trip_reason
    g.share = 0.0
    g.engine.stop()
    g.clock.advance(90)
    g.engine = g.another("next")
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    assert g.watch.state is WatchState.passed
    assert g.watch.progress["shadow"].trip_reason == said
    assert g.kinds().count("rule.tripped") == 1


def test_crashes_of_a_service_that_answers_as_before_trip_nothing() -> None:
    g = Served(ERRORS, SELDOM, PROBE)
    g.share = 0.005
    g.deploy("v2")
    for _ in range(5):
        g.run(30)
        g.world.crash(g.clock.now())
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    assert g.watch.state is WatchState.passed


def test_what_was_lent_outlives_the_process_and_the_instance() -> None:
    g = Served(ERRORS, SELDOM, PATIENT)
    g.deploy("v2")
    g.run(60)
    g.world.crash(g.clock.now())
    g.probe.values = {str(PROBE.measure): 0.0}
    g.run(10)
    g.probe.values = {str(PROBE.measure): 1.0}
    g.run(10)
    restarts, probes = lent(g, "crash-loop"), lent(g, "probe-api")
    assert restarts is not None
    assert probes is not None
    assert (restarts.events_after, probes.events_after) == (1, 2)
    assert probes.total_after is not None
    g.engine.stop()
    g.world.exits = []
    g.engine = g.another("next")
    g.run(30)
    later, probed = lent(g, "crash-loop"), lent(g, "probe-api")
    assert later is not None
    assert probed is not None
    assert (later.events_after, probed.events_after) == (1, 2)
    assert probed.total_after == pytest.approx(probes.total_after + 6, abs=1)


def test_a_probe_that_never_passed_is_not_ready_yet() -> None:
    g = Served(ERRORS, CRASH, PATIENT)
    g.probe.values = {str(PROBE.measure): 0.0}
    g.deploy("v2")
    g.run(120)
    assert lent(g, "probe-api") is None
    g.probe.values = {str(PROBE.measure): 1.0}
    g.run(30)
    found = lent(g, "probe-api")
    assert found is not None
    assert found.events_after == 0


def test_how_often_a_probe_fails_anyway_is_known_from_good_watches() -> None:
    g = Served(ERRORS, CRASH, PATIENT)
    g.deploy("v2")
    for _ in range(12):
        g.probe.values = {str(PROBE.measure): 0.0}
        g.run(10)
        g.probe.values = {str(PROBE.measure): 1.0}
        g.run(40)
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    assert g.watch.state is WatchState.passed
    g.deploy("v3")
    g.run(60)
    found = lent(g, "probe-api")
    assert found is not None
    assert found.before == pytest.approx(0.2, abs=0.05)


def test_restarts_are_no_news_where_the_version_before_restarted_too() -> None:
    """As many crashes as a new version is blamed for where the old one had none."""
    g = Served(ERRORS, SELDOM, PROBE)
    for _ in range(3):
        g.world.crash(g.clock.now())
        g.run(300)
    g.world.exits = []
    g.deploy("v2")
    g.run(60)
    assert g.watch.restarts_before == 3
    g.world.crash(g.clock.now())
    g.run(20)
    found = lent(g, SELDOM.name)
    assert found is not None
    assert found.ln_e < restarted(SELDOM.name, 1, 80, weight=found.weight).ln_e - 3


def test_probes_that_failed_before_are_no_news() -> None:
    """A deploy takes over from one whose probes failed half of the time, and is not blamed for the same."""
    g = Served(ERRORS, CRASH, PATIENT)
    for revision in ("v2", "v3"):
        g.deploy(revision)
        g.run(60)
        for _ in range(6):
            g.probe.values = {str(PROBE.measure): 0.0}
            g.run(20)
            g.probe.values = {str(PROBE.measure): 1.0}
            g.run(20)
    assert g.watch.previous == "v2"
    found = lent(g, "probe-api")
    assert found is not None
    assert found.before == pytest.approx(0.45, abs=0.15)
    assert found.ln_e < 1


def test_a_probe_that_can_not_be_asked_says_nothing() -> None:
    g = Served(ERRORS, CRASH, PATIENT)
    g.deploy("v2")
    g.run(60)
    before = lent(g, "probe-api")
    g.probe.error = "no route to host"
    g.run(60)
    assert lent(g, "probe-api") == before


def test_explain_shows_what_was_lent() -> None:
    g = Served(ERRORS, SELDOM, PROBE)
    g.share = 0.018
    g.world.crash(g.clock.now())
    g.run(30)
    g.world.exits = []
    g.deploy("v2")
    g.run(60)
    g.world.crash(g.clock.now())
    g.world.crash(g.clock.now())
    g.until(lambda: g.watch.incident is not None)
    incident = g.store.incident(g.watch.incident or "")
    assert incident is not None
    told = explain(incident, g.watch, measurements=g.store.measurements(g.watch.id), rules=g.target.rules)
    views = {story.rule: story.comparison for story in told.rules}
    crashes, probes = views["crash-loop"], views["probe-api"]
    assert crashes is not None
    assert (crashes.signal, crashes.group, crashes.weight) == ("restarts", "failures", 0.125)
    assert crashes.lent.startswith("2 restarts in ")
    assert float(crashes.ln_e) > 0
    assert len(crashes.course) > 5
    assert probes is not None
    assert (probes.signal, probes.events_after) == ("probes", 0)
    page = StringIO()
    Console(file=page, width=200).print(comparison_text(crashes))
    shown = page.getvalue()
    assert "2 restarts in" in shown
    assert "restarts in the hour before this deploy: 1" in shown
    assert "failures, 12.5 % of the budget" in shown


def test_crash_and_probe_rules_alone_load_no_numbers(tmp_path: Path) -> None:
    """Where nothing is compared a whole watch goes by without numpy."""
    code = """
import sys
from tests.engine.conftest import CRASH, PROBE, Guarded, target
g = Guarded(target(CRASH, PROBE))
g.run(3)
g.deploy("v2")
g.run(30)
g.world.crash(g.clock.now())
g.until(lambda: g.watch.ended_at is not None)
print(g.watch.state.value, g.watch.findings, "numpy" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=within(60),
        check=True,
    )
    assert done.stdout == "passed {} False\n"
