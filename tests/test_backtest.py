"""Past deploys, judged by what a source remembers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from watchdog.backtest import Outcome, PastDeploy, judge_deploys, placebos, utc
from watchdog.model.measurement import Verdict
from watchdog.model.rule import CompareMeasure, CrashesMeasure, PrometheusMeasure, Rule
from watchdog.model.target import CommandSpec, Target
from watchdog.testing import FakeHistory

END = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
STEP = timedelta(seconds=15)
RATIO = Rule(
    name="errors-vs-before", trigger="errors", summary="s", consecutive_failures=1,
    measure=CompareMeasure(signal="ratio", events="errors", total="requests"),
)  # fmt: skip
SLOW = Rule(
    name="slow", trigger="performance", summary="s", for_=timedelta(seconds=30), fail_when="value > 1.0",
    measure=PrometheusMeasure(query="latency"),
)  # fmt: skip
CRASH = Rule(
    name="crash", trigger="crash", summary="s", consecutive_failures=1, fail_when="value >= 2", measure=CrashesMeasure()
)
PODS = SLOW.model_copy(update={"name": "pods", "measure": PrometheusMeasure(query='latency{pod=~"{{ pods }}"}')})


def target(*rules: Rule) -> Target:
    spec = CommandSpec(status=("s",), history=("h",), rollback=("r",))
    return Target(name="shop", spec=spec, rules=rules, watch={"bake_time": "10m", "interval": "15s"})


def service(hours: float, *bad: tuple[float, float], rate: float = 20.0) -> FakeHistory:
    """Scraped until END, 1 % errors; within ten minutes of each (hours before END, share) that share."""
    history, chance = FakeHistory(), random.Random(3)
    total = errors = 0.0
    for n in range(round(hours * 240), -1, -1):
        at = END - n * STEP
        share = next(
            (s for h, s in bad if timedelta(0) < at - (END - timedelta(hours=h)) <= timedelta(minutes=10)), 0.01
        )
        failed = sum(chance.random() < share for _ in range(round(rate * 15)))
        total, errors = total + rate * 15, errors + failed
        history.scraped("requests", at, total, instance="a")
        history.scraped("errors", at, errors, instance="a", code="500")
        history.scraped("latency", at, 1.5 if share > 0.2 else 0.2)
    return history


def ago(hours: float, revision: str = "v") -> PastDeploy:
    return PastDeploy("shop", revision, END - timedelta(hours=hours))


def judged(history: FakeHistory, *deploys: PastDeploy, rules: tuple[Rule, ...] = (RATIO,)) -> list[Outcome]:
    return list(judge_deploys(target(*rules), history, deploys))


def test_a_bad_deploy_among_good_ones():
    good, bad, after = judged(service(20, (3, 0.06)), ago(5, "v1"), ago(3, "v2"), ago(1, "v3"))
    assert [o.verdict for o in (good, bad, after)] == [Verdict.passed, Verdict.failed, Verdict.passed]
    assert (bad.rule, bad.revision) == ("errors-vs-before", "v2")
    assert bad.seconds is not None
    assert bad.seconds <= 180
    assert bad.reason.startswith("errors went from")


def test_thresholds_are_asked_of_the_past_too():
    (outcome,) = judged(service(6, (3, 0.5)), ago(3), rules=(SLOW, CRASH))
    assert (outcome.verdict, outcome.rule) == (Verdict.failed, "slow")
    assert outcome.seconds == 45


def test_what_is_not_remembered_is_said():
    (too_early,) = judged(service(2), ago(2))
    assert too_early.verdict is Verdict.inconclusive
    assert "too little is remembered of the time before" in too_early.reason
    (unknown,) = judged(service(2), ago(1), rules=(PODS,))
    assert "{{ pods }} of a past deploy is not known" in unknown.reason
    (nothing,) = judged(service(2), ago(1), rules=(CRASH,))
    assert nothing.reason == "no rule could be asked of the past"


def test_a_source_that_is_down_judges_nothing():
    history = service(2)
    history.broken = "Prometheus did not answer"
    (outcome,) = judged(history, ago(1))
    assert outcome.verdict is Verdict.inconclusive
    assert "Prometheus did not answer" in outcome.reason


def test_placebos_stay_away_from_deploys():
    deploy = ago(3)
    cut = [(deploy.at, deploy.at + timedelta(minutes=10))]
    found = placebos(target(RATIO), 12, END - timedelta(hours=6), END, cut)
    assert len(found) == 12
    length = timedelta(minutes=10)
    assert all(p.at + length <= deploy.at or p.at >= deploy.at + length for p in found)
    assert all(b.at - a.at >= length for a, b in pairwise(found))


def test_nothing_is_wrong_where_nothing_was_deployed():
    moments = placebos(target(RATIO), 20, END - timedelta(hours=8), END, [])
    outcomes = list(judge_deploys(target(RATIO), service(20), moments))
    assert len(outcomes) == 20
    assert all(o.placebo and o.verdict is Verdict.passed for o in outcomes)


def test_a_time_needs_its_zone():
    assert utc("2026-11-25T13:00:00+01:00") == END
    with pytest.raises(ValueError, match="has no time zone"):
        utc("2026-11-25T13:00:00")
