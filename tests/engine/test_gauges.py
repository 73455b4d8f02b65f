"""CPU of a whole day, and of each request, in a watch."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.engine.conftest import CRASH, PROBE, present
from tests.engine.test_comparing import ERRORS, Served
from watchdog.model.rule import CompareMeasure
from watchdog.model.watch import WatchState

CPU = ERRORS.model_copy(
    update={
        "name": "cpu-vs-before",
        "measure": CompareMeasure.model_validate({"signal": "level", "query": "cpu", "per": "work"}),
    }
)


class Busy(Served):
    """A service that uses `cores` for `rate` requests a second, and `rush` times as many in the hour after the deploy's
    time of day."""

    def __init__(self, *, rush: float = 1.0, work: bool = True) -> None:
        self.cores, self.rush, self._work = 0.2, rush, work
        self._since: datetime | None = None
        super().__init__(CPU, CRASH, PROBE, hours=25)

    def _scrape(self, at: datetime) -> None:
        self._scraped_at = at
        self._since = self._since or at + timedelta(hours=25)
        rushes = (at - self._since) % timedelta(days=1) < timedelta(hours=1)
        noise = 1 + 0.03 * self._random.uniform(-1, 1)
        self.history.scraped("cpu", at, self.cores * (self.rush if rushes else 1) * noise)
        if self._work:
            self.history.scraped("work", at, self.rate)


def test_cpu_that_is_needed_each_day_at_this_time_is_no_regression() -> None:
    g = Busy(rush=2.5, work=False)
    g.deploy("v2")
    g.run(60)
    assert "cpu-vs-before: judged against the version before, and against the same time yesterday" in g.story()
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    assert g.watch.state is WatchState.passed
    day_before = [start for _, start, _ in g.history.asked if start <= g.watch.opened_at - timedelta(hours=20)]
    assert len(day_before) == 2, "yesterday is read once, with the history of the gauge and of its work"


def test_twice_the_cpu_for_each_request_rolls_back() -> None:
    g = Busy()
    g.deploy("v2")
    g.cores = 0.45
    g.until(lambda: g.watch.condemned_at is not None)
    assert "and per unit of work, and against the same time yesterday" in present(g.watch.decision).reason


def test_cpu_for_more_requests_is_no_regression() -> None:
    g = Busy()
    g.deploy("v2")
    g.cores, g.rate = 0.6, 120
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    assert g.watch.state is WatchState.passed
