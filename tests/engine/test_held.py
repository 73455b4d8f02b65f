"""What a compare rule's look asks for: all samples since the deploy once, then only what is new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.engine.test_comparing import Served
from watchdog.engine import comparing
from watchdog.engine.comparing import Question
from watchdog.engine.held import MOST, Answer, Held, read_until
from watchdog.judge.compare.rule import Setting
from watchdog.model.rule import CompareMeasure
from watchdog.model.watch import WatchState
from watchdog.testing import FakeHistory

AT = datetime(2026, 1, 1, tzinfo=UTC)
"""The deploy."""
RATIO = CompareMeasure(signal="ratio", events="errors", total="requests")
LEVEL = CompareMeasure(signal="level", query="cpu")


class Scraped(FakeHistory):
    """Two pods that are scraped each 15 s: 600 requests, 6 of which fail, and half a core."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        for age in range(-7200, seconds + 1, 15):
            self.scrape(age)

    def scrape(self, age: int) -> None:
        scraped = 7200 // 15 + age // 15
        for pod in ("a", "b"):
            self.scraped("requests", AT + timedelta(seconds=age), 600.0 * scraped, pod=pod)
            self.scraped("errors", AT + timedelta(seconds=age), 6.0 * scraped + scraped % 3, pod=pod, code="500")
        self.scraped("cpu", AT + timedelta(seconds=age), 0.5 + 0.01 * (scraped % 7))

    def late(self, age: int) -> dict[str, list[float]]:
        """Take the samples of this moment away; `comes` gives them back."""
        taken: dict[str, list[float]] = {}
        for selector, found in self.known.items():
            for number, series in enumerate(found):
                place = list(series.at).index((AT + timedelta(seconds=age)).timestamp())
                taken[f"{selector} {number}"] = [place, series.at.pop(place), series.values.pop(place)]
        return taken

    def comes(self, taken: dict[str, list[float]]) -> None:
        for name, (place, at, value) in taken.items():
            selector, number = name.split()
            self.known[selector][int(number)].at.insert(int(place), at)
            self.known[selector][int(number)].values.insert(int(place), value)

    def stretches(self) -> dict[str, float]:
        """How many seconds were asked for of each selector since the last call."""
        found = {selector: (end - start).total_seconds() for selector, start, end in self.asked}
        self.asked.clear()
        return found


def question(measure: CompareMeasure, age: float, held: Held | None = None) -> Question:
    return Question(
        rule="r", measure=measure, deployed=AT.timestamp(), began=AT.timestamp(), now=AT.timestamp() + age,
        setting=Setting(interval=15.0, watch_seconds=1800.0), calibration=None, nothing_known=False, cut=(),
        earlier=(), proving=False, held=held,
    )  # fmt: skip


def look(source: FakeHistory, measure: CompareMeasure, age: float, before: Answer | None = None) -> Answer:
    """One look, with the calibration and what is held of the look before."""
    asked = question(measure, age, before.held if before else None)
    calibration = before.observation.calibration if before else None
    return comparing.answer(source, replace(asked, calibration=calibration))


@pytest.mark.parametrize("measure", [RATIO, LEVEL], ids=["ratio", "level"])
def test_a_second_look_asks_only_for_the_last_two_minutes(measure: CompareMeasure) -> None:
    source = Scraped(1200)
    first = look(source, measure, 1200)
    assert min(source.stretches().values()) == pytest.approx(1230)  # with two scrapes from before the deploy
    source.scrape(1215)
    second = look(source, measure, 1215, first)
    asked = source.stretches()
    assert asked.keys() == set(measure.selectors.values() or ["cpu"])
    assert max(asked.values()) == pytest.approx(135)
    assert second.observation.finding == look(source, measure, 1215).observation.finding


@pytest.mark.parametrize("measure", [RATIO, LEVEL], ids=["ratio", "level"])
def test_a_late_sample_is_counted_once(measure: CompareMeasure) -> None:
    source = Scraped(600)
    taken = source.late(525)
    answer = look(source, measure, 600)
    without = answer.observation.finding
    source.comes(taken)
    for age in (605, 615, 630, 700, 750):
        if age % 15 == 0:
            source.scrape(age)
        answer = look(source, measure, age, answer)
        assert answer.observation.finding == look(source, measure, age).observation.finding
    assert answer.observation.finding != without
    if measure is RATIO:
        found = answer.observation.finding
        assert found is not None
        assert found.total_after == 2 * 600 * 50  # two pods, 750 s


def test_a_sample_that_is_too_late_is_counted_by_a_new_process_only() -> None:
    source = Scraped(600)
    taken = source.late(300)
    answer = look(source, LEVEL, 600)
    source.comes(taken)
    assert look(source, LEVEL, 605, answer).observation.finding == answer.observation.finding
    assert look(source, LEVEL, 605).observation.finding != answer.observation.finding


@pytest.mark.parametrize(
    "changed",
    [
        lambda asked: replace(asked, pods="shop-9.*"),
        lambda asked: replace(asked, began=AT.timestamp() + 15),
        lambda asked: replace(asked, proving=True),
        lambda asked: replace(asked, measure=RATIO.model_copy(update={"total": "served"})),
    ],
    ids=["pods", "began", "proving", "measure"],
)
def test_another_question_reads_everything_again(changed: Callable[[Question], Question]) -> None:
    source = Scraped(600)
    before = look(source, RATIO, 600)
    source.stretches()
    asked = replace(question(RATIO, 605, before.held), calibration=before.observation.calibration)
    comparing.answer(source, changed(asked))
    assert min(source.stretches().values()) >= 600


def test_a_source_that_fails_leaves_what_is_held() -> None:
    source = Scraped(600)
    before = look(source, RATIO, 600)
    source.broken = "down"
    failed = look(source, RATIO, 605, before)
    assert failed.observation.error == "down"
    assert failed.held == before.held


def test_what_needs_more_memory_than_its_share_is_not_held() -> None:
    answer = look(Scraped(600), RATIO, 600)
    assert answer.held is not None
    size = answer.held.carried.size
    assert 0 < size < MOST
    assert answer.within(size) == answer.held
    assert answer.within(size - 1) is None


def test_what_is_read_again_begins_at_a_whole_interval() -> None:
    assert read_until(begin=970, now=1000, interval=15, before=970) == 970
    assert read_until(begin=970, now=1500, interval=15, before=970) == 1375  # at most 120 s and an interval ago
    assert read_until(begin=970, now=1500, interval=60, before=970) == 970 + 0 * 60
    assert read_until(begin=970, now=1400, interval=15, before=1375) == 1375  # a clock that went back


def test_the_engine_holds_it_as_long_as_the_watch_is_open() -> None:
    g = Served()
    g.deploy("v2")
    g.until(lambda: "errors-vs-before" in g.watch.findings)
    g.run(300)
    g.history.asked.clear()
    g.run(30)
    asked = [(end - start).total_seconds() for _, start, end in g.history.asked]
    assert 120 <= min(asked) <= max(asked) <= 120 + 2 * 15  # of which one interval since the last look
    place = g.engine._places["shop"]
    assert len(place.held) == 1
    g.until(lambda: g.watch.state is WatchState.passed, limit=1500)
    assert place.held == {}
