"""`compare` rules in a watch: a service whose counters are scraped, and what becomes of its deploys."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from tests.engine.conftest import CRASH, PROBE, Guarded, present, rule, target
from watchdog.model.comparison import CountCalibration
from watchdog.model.rule import CompareMeasure, Mode, Rule
from watchdog.model.watch import WatchState

ERRORS = rule(
    "errors-vs-before",
    trigger="errors",
    measure=CompareMeasure(signal="ratio", events="errors", total="requests"),
    fail_when=None,
    consecutive_failures=1,
    interval="15s",
)
SHADOW = ERRORS.model_copy(update={"name": "shadow", "mode": Mode.dry_run})


class Served(Guarded):
    """A service with `rate` requests a second, `share` of which fail, scraped each 15 s for hours before."""

    def __init__(self, *rules: Rule, rate: float = 40.0, hours: float = 6.0, **changes: object) -> None:
        changes = {"watch": {"bake_time": "10m", "initial_delay": "10s", "interval": "5s", "settle": "2s"}, **changes}
        super().__init__(target(*(rules or (ERRORS, CRASH, PROBE)), **changes))
        self.rate, self.share = rate, 0.01
        self._random = random.Random(7)
        self._total = self._errors = 0.0
        self._scraped_at = self.clock.now()
        for n in range(round(hours * 240), 0, -1):
            self._scrape(self.clock.now() - timedelta(seconds=15 * n))
        self.run(3)

    def run(self, seconds: float, step: float = 1.0) -> None:
        for _ in range(round(seconds / step)):
            now = self.clock.advance(step)
            if now - self._scraped_at >= timedelta(seconds=15):
                self._scrape(now)
            self.engine.tick(now)
        assert self.errors == []

    def _scrape(self, at: datetime) -> None:
        requests = self.rate * 15
        failed = sum(self._random.random() < self.share for _ in range(round(requests)))
        self._total, self._errors, self._scraped_at = self._total + requests, self._errors + failed, at
        self.history.scraped("requests", at, self._total, instance="api")
        self.history.scraped("errors", at, self._errors, instance="api", code="500")


def test_more_errors_than_before_roll_back() -> None:
    g = Served()
    g.share = 0.05
    g.deploy("v2")
    took = g.until(lambda: g.watch.condemned_at is not None)
    assert took <= 180
    assert "errors went from" in present(g.watch.decision).reason
    assert "a change this large by chance: less than 1 in" in present(g.watch.decision).reason


def test_the_same_as_before_passes() -> None:
    g = Served()
    g.deploy("v2")
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    assert g.watch.state is WatchState.passed


def test_what_it_will_be_able_to_see_is_said_at_the_start() -> None:
    g = Served()
    g.deploy("v2")
    g.run(60)
    (line,) = [line for line in g.story() if "cannot detect less than" in line]
    assert line.startswith("errors-vs-before: cannot detect less than ×")
    assert isinstance(g.watch.calibrations["errors-vs-before"], CountCalibration)


def test_the_old_version_is_proved_to_be_better() -> None:
    g = Served()
    g.share = 0.08
    g.deploy("v2")
    g.until(lambda: g.watch.state is WatchState.verifying)
    g.share = 0.01
    g.until(lambda: g.watch.state is WatchState.recovered)
    assert "errors-vs-before" in g.watch.end_reason


def test_a_rollback_that_does_not_help_fails() -> None:
    g = Served()
    g.share = 0.08
    g.deploy("v2")
    g.until(lambda: g.watch.state is WatchState.failed, limit=1500)
    assert "errors-vs-before: fail" in g.watch.end_reason


def test_shadow_mode_only_tells() -> None:
    g = Served(SHADOW, CRASH)
    g.share = 0.08
    g.deploy("v2")
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    assert g.watch.state is WatchState.passed
    assert "rule.tripped" in g.kinds()


def test_without_history_the_other_rules_decide() -> None:
    g = Served(hours=0)
    g.share = 0.5
    g.deploy("v2")
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    assert g.watch.state is WatchState.passed
    (said,) = {m.reason for m in g.store.measurements(g.watch.id, "errors-vs-before")}
    assert "nothing is known of errors-vs-before before this deploy" in said


@pytest.mark.slow
@pytest.mark.parametrize(("unsure", "state"), [("hold", WatchState.held), ("pass", WatchState.passed)])
def test_little_traffic_makes_the_watch_longer_and_is_left_to_a_person(unsure: str, state: WatchState) -> None:
    watch = {"bake_time": "10m", "initial_delay": "10s", "interval": "5s", "settle": "2s", "unsure": unsure}
    g = Served(rate=0.07, watch=watch)
    opened = g.clock.now()
    g.deploy("v2")
    g.until(lambda: g.watch.state is state, limit=3000)
    assert g.clock.now() - opened >= timedelta(minutes=20)
    assert g.world.acts == []


def test_a_source_that_is_down_is_blindness() -> None:
    g = Served()
    g.share = 0.08
    g.deploy("v2")
    g.run(4)
    g.history.broken = "Prometheus did not answer"
    g.run(300)
    assert "watch.blind" in g.kinds()
    assert g.world.acts == []
    g.history.broken = None
    g.until(lambda: g.watch.state is WatchState.recovered or "rollback.started" in g.kinds())


def test_scrapes_that_stop_are_blindness_too(monkeypatch: pytest.MonkeyPatch) -> None:
    g = Served()
    g.deploy("v2")
    g.run(60)
    monkeypatch.setattr(g, "_scrape", lambda at: None)
    g.run(300)
    assert "watch.blind" in g.kinds()
    reasons = [m.reason for m in g.store.measurements(g.watch.id, "errors-vs-before")]
    assert reasons[-1].startswith("no sample for")


def test_a_new_process_judges_as_the_one_before() -> None:
    g = Served()
    g.deploy("v2")
    g.run(120)
    before = g.watch.calibrations
    g.engine.stop()
    g.engine = g.another("next")
    g.share = 0.08
    g.until(lambda: g.watch.state is WatchState.condemned or "rollback.started" in g.kinds())
    assert g.watch.calibrations == before


def test_an_earlier_incident_is_no_part_of_the_baseline() -> None:
    g = Served(hours=2)
    g.share = 0.3
    g.deploy("v2")
    g.until(lambda: g.watch.ended_at is not None or g.watch.state is WatchState.verifying)
    g.share = 0.01
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    g.run(1900)
    g.deploy("v3")
    g.run(60)
    calibration = g.watch.calibrations["errors-vs-before"]
    assert isinstance(calibration, CountCalibration)
    (track,) = calibration.tracks
    assert track.events / track.total == pytest.approx(0.01, rel=0.3)


def test_a_watch_too_short_for_a_trend_is_not_held_for_it() -> None:
    growth = rule(
        "memory-growth",
        measure=CompareMeasure(signal="growth", query="memory", limit="limit"),
        fail_when=None,
        consecutive_failures=1,
    )
    g = Served(ERRORS, growth, CRASH, watch={"bake_time": "1m", "initial_delay": "5s", "interval": "5s"})
    for n in range(40):
        at = g.clock.now() + timedelta(seconds=15 * (n - 20))
        g.history.scraped("memory", at, 3e7, name="shop-api-1")
        g.history.scraped("limit", at, 5e8, name="shop-api-1")
    g.deploy("v2")
    g.until(lambda: g.watch.state is WatchState.passed, limit=90)
    (said,) = {m.reason for m in g.store.measurements(g.watch.id, "memory-growth")}
    assert "too short a watch to see a trend" in said
