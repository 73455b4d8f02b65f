"""Old pods that go on beside the new ones: they are the baseline, through all that a watch does."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.engine.conftest import CRASH, present
from tests.engine.test_comparing import ERRORS, Served
from watchdog.model.rule import CompareMeasure, Rule
from watchdog.model.watch import WatchState

LATENCY = ERRORS.model_copy(
    update={
        "name": "latency-vs-before",
        "measure": CompareMeasure.model_validate({"signal": "latency", "buckets": "buckets"}),
    }
)


class Rolling(Served):
    """Old pods go on beside the new ones, which get `to_new` of the traffic once they are there. `slow`: the share of
    requests over half a second, as `share` is that of errors; `new` is what only the new pods have more of both."""

    def __init__(self, *rules: Rule, to_new: float) -> None:
        self.slow, self.new, self.to_new = 0.03, 0.0, to_new
        self._pods: dict[str, list[int]] = {}
        super().__init__(*rules)

    def _scrape(self, at: datetime) -> None:
        self._scraped_at = at
        there = self.world.running != "v1"
        for pod, part in (("shop-old-1", 1 - self.to_new * there), ("shop-api-1", self.to_new)):
            if pod == "shop-old-1" or there:
                self._served(pod, at, round(self.rate * 15 * part), self.new if pod == "shop-api-1" else 0.0)

    def _served(self, pod: str, at: datetime, requests: int, more: float) -> None:
        failed = sum(self._random.random() < self.share + more for _ in range(requests))
        slow = sum(self._random.random() < self.slow + more for _ in range(requests))
        fast = sum(self._random.random() < 0.7 for _ in range(requests - slow))
        so_far = self._pods.setdefault(pod, [0, 0, 0, 0])
        for number, count in enumerate((requests, failed, slow, fast)):
            so_far[number] += count
        total, failed, slow, fast = so_far
        self.history.scraped("requests", at, total, pod=pod)
        self.history.scraped("errors", at, failed, pod=pod, code="500")
        for le, count in (("0.1", fast), ("0.5", total - slow), ("+Inf", total)):
            self.history.scraped("buckets", at, count, pod=pod, le=le)


@pytest.mark.slow
@pytest.mark.parametrize("to_new", [0.5, 0.1], ids=["half of the traffic", "a tenth of the traffic"])
@pytest.mark.parametrize("compared", [ERRORS, LATENCY], ids=["errors", "latency"])
def test_what_hits_old_pods_alike_is_not_the_new_version(compared: Rule, to_new: float) -> None:
    """A dependency is down for all: without the old pods beside, this is a reason to roll back."""
    g = Rolling(compared, CRASH, to_new=to_new)
    g.deploy("v2")
    g.run(90)
    g.share, g.slow = 0.06, 0.18
    g.until(lambda: g.watch.ended_at is not None, limit=1500)
    assert g.watch.state is WatchState.passed


@pytest.mark.slow
@pytest.mark.parametrize("to_new", [0.5, 0.1], ids=["half of the traffic", "a tenth of the traffic"])
@pytest.mark.parametrize("compared", [ERRORS, LATENCY], ids=["errors", "latency"])
def test_what_hits_only_new_pods_is(compared: Rule, to_new: float) -> None:
    """Also where the old ones have most of the traffic, so that all requests together hardly got worse."""
    g = Rolling(compared, CRASH, to_new=to_new)
    g.deploy("v2")
    g.run(90)
    g.new = 0.15
    g.until(lambda: g.watch.condemned_at is not None)
    assert present(g.watch.decision).rules == (compared.name,)


def test_what_hits_all_is_the_new_version_where_nothing_runs_beside() -> None:
    g = Rolling(ERRORS, CRASH, to_new=1.0)
    g.deploy("v2")
    g.run(90)
    g.share = 0.06
    g.until(lambda: g.watch.condemned_at is not None)
