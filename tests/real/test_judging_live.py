"""`compare` rules live: real services under real traffic, a real Prometheus, a real daemon, and deploys that are good,
or bad by so little that no threshold of the packs sees it.

All of it at the same time, in one world (live/). The bad deploys come to services whose starts nobody knows yet: there
the fine tier sees nothing in the first minute, and wants a minute of harm after it. The twenty good deploys come to
services that had good deploys before; there it looks from the first scrape on, so that a minute is enough to trip.
What was before the test is drawn from the distributions that the services draw from (live/past.py).

The twenty are seven rows of three, each on a service of its own, as a watch that can trip takes over a minute.
WATCHDOG_LIVE_ROW=20 makes it one row on one service, which takes half an hour.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from tests.components import require
from tests.real.backfill import PROMTOOL
from tests.real.live.behaviour import BEHAVIOURS, GOOD
from tests.real.live.guarded import LiveService
from tests.real.live.world import World
from tests.real.prometheus_server import PROGRAM
from tests.waiting import within
from watchdog.judge.compare.failures import FAILURES
from watchdog.judge.compare.gates import LASTING
from watchdog.model.comparison import CountCalibration, Finding
from watchdog.model.measurement import Verdict
from watchdog.model.watch import Watch, WatchState

ROW = int(os.environ.get("WATCHDOG_LIVE_ROW", "3"))
"""Deploys of one service, one after another."""
GOOD_DEPLOYS = 20
ROWS = -(-GOOD_DEPLOYS // ROW)
LIMIT = within(400 + 110 * ROW)
"""Seconds for everything."""

PACKS = ["crash", "errors", "latency"]
ALL = [*PACKS, "memory"]
SHORT = [*PACKS, {"pack": "memory", "except": ["memory-growth"]}]
"""A trend needs at least eight values, 15 s apart: no short watch can have them."""
BAKE, LONG, BRIEF = timedelta(seconds=150), timedelta(seconds=300), timedelta(seconds=100)
BEFORE = (4800.0, 4000.0, 3200.0, 2400.0, 1600.0)
"""Seconds before the test: the good deploys that the watchdog knows of the services of a row."""

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(LIMIT)]


def services(folder: Path) -> list[LiveService]:
    # Name, what v2 is, bake time, seed, and how long a rollback may take to prove itself: of memory no time would do.
    kinds = [("errors", "errors", BAKE, 1, "2m"), ("latency", "latency", BAKE, 2, "2m")]
    kinds += [("leak", "leak", LONG, 3, "30s"), ("steady", "good", LONG, 4, "30s")]
    single = [
        LiveService(folder, name, releases={"v1": "good", "v2": v2}, rules=ALL, bake=bake, seed=seed, proof=proof)
        for name, v2, bake, seed, proof in kinds
    ]
    releases = {f"v{n}": "good" for n in range(1, ROW + 2)} | {"bad": "errors"}
    return single + [
        LiveService(folder, f"row-{n}", releases=releases, rules=SHORT, bake=BRIEF, seed=10 + n, earlier=BEFORE)
        for n in range(ROWS)
    ]


class Played:
    """Everything under way. What became of it is waited for by whoever asks."""

    def __init__(self, world: World, pool: ThreadPoolExecutor) -> None:
        self.world = world
        self._bad = {name: pool.submit(world.deploy, name, "v2") for name in ("errors", "latency", "leak", "steady")}
        lengths = [min(ROW, GOOD_DEPLOYS - n * ROW) for n in range(ROWS)]
        self._rows = [pool.submit(self._row, f"row-{n}", length) for n, length in enumerate(lengths)]
        self._last: Future[Watch] = pool.submit(self._after_the_row)

    def single(self, name: str) -> Watch:
        """The watch of the one deploy of that service."""
        return self._bad[name].result(LIMIT)

    def rows(self) -> list[list[Watch]]:
        return [row.result(LIMIT) for row in self._rows]

    def last(self) -> Watch:
        """The bad deploy after the good ones, on a service of theirs."""
        return self._last.result(LIMIT)

    def _row(self, name: str, length: int) -> list[Watch]:
        watches = []
        for n in range(length):
            watches.append(self.world.deploy(name, f"v{n + 2}"))
            self.world.restart(name)
        return watches

    def _after_the_row(self) -> Watch:
        self._rows[-1].result(LIMIT)
        return self.world.deploy(f"row-{ROWS - 1}", "bad")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    require("prometheus", PROGRAM is not None and PROMTOOL is not None)
    folder = tmp_path_factory.mktemp("live")
    world = World(folder, services(folder))
    pool = ThreadPoolExecutor(ROWS + 6)
    try:
        world.start()
        yield Played(world, pool)
    finally:
        world.close()
        pool.shutdown(wait=False, cancel_futures=True)


def explained(played: Played, watch: Watch) -> str:
    """What a person is told of the incident."""
    done = played.world.daemon.run("explain", str(watch.incident))
    print(done.stdout)
    return " ".join(done.stdout.split())


def rolled_back(played: Played, name: str, watch: Watch, rule: str, back: str) -> str:
    """That this rule, and no other, brought that version back, and that it was proved to be better. The explanation."""
    world = played.world
    assert watch.state is WatchState.recovered, f"{watch.end_reason}\n{world.story(name)}"
    assert watch.decision is not None
    assert watch.decision.rules == (rule,)
    assert [n for n, p in watch.progress.items() if p.failures and n != rule] == []
    assert world.services[name].running == back
    (rollback,) = world.daemon.store.rollbacks(name, watch.opened_at)
    assert (rollback.from_revision, rollback.to_revision) == (watch.revision, back)
    left = world.daemon.store.revision(name, watch.revision)
    assert left is not None
    assert left.condemned
    return explained(played, watch)


def test_errors_from_half_a_percent_to_three_are_rolled_back(played: Played):
    watch = played.single("errors")
    text = rolled_back(played, "errors", watch, "errors-vs-before", "v1")
    found = re.search(
        r"errors went from (\S+) % to (\S+) %, \d+ of [\d,]+ requests; a change this large by chance", text
    )
    assert found is not None
    before, after = (float(number) / 100 for number in found.groups())
    assert before == pytest.approx(GOOD.errors, rel=0.4)
    assert after == pytest.approx(BEHAVIOURS["errors"].errors, rel=0.4)


def test_latency_times_one_and_a_half_is_rolled_back(played: Played):
    text = rolled_back(played, "latency", played.single("latency"), "latency-vs-before", "v1")
    assert re.search(r"requests over \S+ s went from \S+ % to \S+ %, [\d,]+ of [\d,]+ requests", text)


def test_a_leak_is_rolled_back(played: Played):
    text = rolled_back(played, "leak", played.single("leak"), "memory-growth", "v1")
    assert re.search(r"memory-growth grows by [\d,]+ % an hour .*reaches its limit in \d+ min", text)


def test_memory_that_stays_as_it_is_passes_the_same_watch(played: Played):
    watch = played.single("steady")
    assert watch.state is WatchState.passed, played.world.story("steady")
    assert {name: f.verdict for name, f in compared(watch).items()} == dict.fromkeys(
        ("errors-vs-before", "latency-vs-before", "memory-growth"), Verdict.passed
    )


def test_twenty_good_deploys_with_restarts_between_all_pass(played: Played):
    store = played.world.daemon.store
    rows = played.rows()
    watches = [watch for row in rows for watch in row]
    for watch in watches:
        print(watch.target, watch.revision, watch.state.value, *(f.sentence for f in watch.findings.values()), sep="; ")
    assert len(watches) == GOOD_DEPLOYS
    assert [f"{w.target} {w.revision}: {w.end_reason}" for w in watches if w.state is not WatchState.passed] == []
    assert [
        r for row in rows for r in store.rollbacks(row[0].target, row[0].opened_at) if r.from_revision != "bad"
    ] == []
    for row in rows:  # each deploy and each restart was a new process, whose counters began at 0
        resets = f'resets(http_request_duration_seconds_count{{job="{row[0].target}"}}[2h])'
        assert (played.world.ask(resets) or 0) >= 2 * len(row)
    for watch in watches:
        known = store.revision(watch.target, watch.revision)
        assert known is not None
        assert known.known_good_because == "watched"
        service = played.world.services[watch.target]
        found = compared(watch)
        assert set(found) == {"errors-vs-before", "latency-vs-before"}
        for finding in found.values():
            assert finding.verdict is Verdict.passed  # it saw enough to have found harm
            assert (finding.total_after or 0) > 0.8 * service.rate * BRIEF.total_seconds()
    assert sum(could_trip(watch) for watch in watches) >= GOOD_DEPLOYS * 3 / 4


def compared(watch: Watch) -> dict[str, Finding]:
    """What the compare rules found; the restarts and probes beside them spoke against nobody."""
    lent = {name: finding for name, finding in watch.findings.items() if finding.group == FAILURES}
    assert set(lent) == {"crash-loop", "probe-healthz"}
    assert all(finding.ln_e <= 0 for finding in lent.values())
    return {name: finding for name, finding in watch.findings.items() if name not in lent}


def could_trip(watch: Watch) -> bool:
    """Whether the fine tier of each rule had the time to: from the usual start on, a minute of harm."""
    found = [c for c in watch.calibrations.values() if isinstance(c, CountCalibration)]
    assert len(found) == 2
    assert all(calibration.placebos >= 30 for calibration in found)
    return all(c.start_seconds + LASTING < BRIEF.total_seconds() - 3 for c in found)


def test_the_one_after_them_is_bad_and_is_rolled_back(played: Played):
    watch = played.last()
    text = rolled_back(played, watch.target, watch, "errors-vs-before", played.rows()[-1][-1].revision)
    assert "errors went from" in text
    assert watch.settled_at is not None
    assert watch.condemned_at is not None
    assert watch.condemned_at - watch.settled_at <= BRIEF
