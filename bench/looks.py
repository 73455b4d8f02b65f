"""What a look of a `compare` rule costs: one scrape's update, the calibration, and the memory of a watch.

The source answers at once, from memory, so that only the watchdog's own work is measured: processor time of the thread
that judges. Ten pods are scraped every 15 s; the counters are drawn at random, from a fixed seed.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from scipy.special import gammaln

from bench.report import Baseline, Result, Row
from watchdog.engine import comparing
from watchdog.engine.comparing import Question
from watchdog.engine.held import Answer
from watchdog.judge.compare.arrays import Array
from watchdog.judge.compare.rule import Setting, calibrate_rule
from watchdog.model.comparison import Calibration
from watchdog.model.measurement import Verdict
from watchdog.model.rule import CompareMeasure
from watchdog.model.series import Series

PODS, STEP, DAY = 10, 15.0, 5760
"""Scrapes are STEP seconds apart; there are DAY of them before the deploy."""
DEPLOYED = 1_750_000_000.0
SCRAPES = (40, 240)
UPDATES, CALIBRATIONS = 100, 5
EDGES = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
MEASURES = {
    "ratio": CompareMeasure(signal="ratio", events="errors", total="requests"),
    "latency": CompareMeasure(signal="latency", buckets="buckets"),
    "level": CompareMeasure(signal="level", query="cpu"),
    "growth": CompareMeasure(signal="growth", query="memory", limit="limit"),
}
WATCH = ("ratio", "ratio", "latency", "latency", "level", "growth")
"""The rules of a watch whose memory is measured: as the packs have them for a service behind a proxy."""
Samples = dict[str, list[Series]]


@dataclass(frozen=True)
class Service:
    """A rule's samples of the day before the deploy, and since."""

    kind: str
    before: Samples
    after: Samples

    @property
    def setting(self) -> Setting:
        """A watch of an hour, one of four signals."""
        return Setting(interval=STEP, watch_seconds=SCRAPES[-1] * STEP, weight=0.25, signals=4, what="errors")

    def calibrated(self) -> Calibration:
        """How it is judged."""
        found = calibrate_rule(MEASURES[self.kind], self.before, DEPLOYED, self.setting, seconds=DAY * STEP)
        if found is None:
            raise RuntimeError(f"{self.kind}: a day of history was not enough to calibrate")
        return found

    def of_one_pod(self) -> Service:
        """A gauge's, without the other pods."""
        return Service(self.kind, *({name: found[:1] for name, found in s.items()} for s in (self.before, self.after)))


class Source:
    """A History that has cut its answers beforehand: see `ready`."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._ready: dict[tuple[str, float, float], list[Series]] = {}

    def series(self, selectors: Mapping[str, str], start: datetime, end: datetime) -> Mapping[str, Sequence[Series]]:
        """As History."""
        return {name: self._cut(name, start, end) for name in selectors}

    def evaluate(self, query: str, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        """As History: the samples are at the steps."""
        return self._cut("limit" if query == "limit" else "query", start - step / 2, end)

    def fresh(self) -> int:
        """The number of samples in all answers so far; they are forgotten."""
        known = sum(len(series) for found in self._ready.values() for series in found)
        self._ready.clear()
        return known

    def _cut(self, name: str, start: datetime, end: datetime) -> list[Series]:
        key = (name, start.timestamp(), end.timestamp())
        if key not in self._ready:
            found = (series.within(key[1], key[2]) for series in self._samples[name])
            self._ready[key] = [Series(_parsed(one.labels), one.at, one.values) for one in found if len(one)]
        return self._ready[key]


def measure(_directory: Path) -> Iterator[Row]:
    """A scrape's update of each kind of rule, its calibration, and what a watch holds."""
    for kind in MEASURES:
        service = service_of(kind, worse=1.0)
        calibrated, counted = timed(service.calibrated, CALIBRATIONS), timed(partial(_one_pass, service), CALIBRATIONS)
        yield Result(
            f"calibration, {kind}",
            "ms",
            calibrated,
            1000,
            Baseline("one gammaln of each of the day's samples", median(counted)),
        )
        for scrapes in SCRAPES:
            # After its last scrape, growth is looked at once more; the scrape before it is as all the others.
            ordinary = scrapes - 1 if kind == "growth" else scrapes
            yield _update(service, ordinary, f"one update, {kind}, {scrapes} scrapes")
        yield _mean(service, SCRAPES[-1], f"one update, {kind}, mean of all {SCRAPES[-1]} scrapes")
        if kind == "growth":
            name = f"that of one scrape in {SCRAPES[-1] // 3}, when growth is looked at"
            yield _update(service, SCRAPES[-1], f"{name}, {PODS} pods", aim=None)
            yield _update(service.of_one_pod(), SCRAPES[-1], f"{name}, one pod")
        elif kind != "level":
            bad = service_of(kind, worse=1.5)
            yield _update(bad, SCRAPES[-1], f"one update, {kind}, {SCRAPES[-1]} scrapes, a bad deploy")
            looks = _until_it_trips(bad)
            if looks is not None:
                yield _mean(bad, looks, f"one update, {kind}, mean of {looks} scrapes until a bad deploy trips")
    yield from _memory()


def _update(service: Service, scrapes: int, name: str, aim: float | None = 1) -> Result:
    """The last look of so many, from what the one before it left; against a look that is given nothing."""
    source, calibration = Source(service.after), service.calibrated()
    before = followed(service, source, calibration, scrapes - 1)
    last = replace(_question(service, calibration, scrapes), held=before.held)
    found = comparing.answer(source, last).observation.finding
    whole = comparing.answer(source, replace(last, held=None)).observation.finding
    if found is None or whole is None or abs(found.ln_e - whole.ln_e) > 1e-9 or found.verdict is not whole.verdict:
        raise RuntimeError(f"{name}: following finds {found}, all samples {whole}")
    values = timed(partial(comparing.answer, source, last), UPDATES)
    anew = timed(partial(comparing.answer, source, replace(last, held=None)), UPDATES // 5)
    return Result(name, "ms", values, aim, Baseline("from all samples since the deploy", median(anew)))


def _mean(service: Service, scrapes: int, name: str) -> Result:
    """A look's share of a watch of so many; what it left is handed on."""
    source, calibration = Source(service.after), service.calibrated()
    whole = timed(partial(followed, service, source, calibration, scrapes), CALIBRATIONS)
    return Result(name, "ms", tuple(spent / scrapes for spent in whole), 1)


def _until_it_trips(service: Service) -> int | None:
    """After how many scrapes it is rolled back; None: the watch is too short to find it."""
    source, calibration = Source(service.after), service.calibrated()
    for scrapes, answer in enumerate(_followed(service, source, calibration, SCRAPES[-1]), start=1):
        found = answer.observation.finding
        if found is not None and found.verdict is Verdict.failed:
            return scrapes
    return None


def _memory() -> Iterator[Row]:
    """What is held for a watch of WATCH, at its end."""
    services = [service_of(kind, worse=1.0) for kind in WATCH]
    calibrations = [service.calibrated() for service in services]
    held, read, numbers = [], 0, 0
    tracemalloc.start()
    for service, calibration in zip(services, calibrations, strict=True):
        source = Source(service.after)
        before = followed(service, source, calibration, SCRAPES[-1] - 1)
        source.fresh()
        last = _question(service, calibration, SCRAPES[-1])
        held.append(comparing.answer(source, replace(last, held=before.held)))
        read += source.fresh()
        numbers += sum(len(series) for found in service.after.values() for series in found)
        del source, before
    size = tracemalloc.get_traced_memory()[0] / 1000
    tracemalloc.stop()
    plain = Baseline("the same samples as plain numbers", 16 * numbers / 1000)
    yield Result(f"memory of a watch: {len(WATCH)} rules, {SCRAPES[-1]} scrapes", "kB", (size,), 1000, plain)
    whole = Baseline("all since the deploy", float(numbers))
    yield Result("samples read by one look of all its rules", "samples", (float(read),), baseline=whole)


def followed(service: Service, source: Source, calibration: Calibration, looks: int) -> Answer:
    """The last of so many looks, one after each scrape."""
    return deque(_followed(service, source, calibration, looks), maxlen=1).pop()


def _followed(service: Service, source: Source, calibration: Calibration, looks: int) -> Iterator[Answer]:
    """Each look from what the one before it left."""
    held = None
    for look in range(1, looks + 1):
        answer = comparing.answer(source, replace(_question(service, calibration, look), held=held))
        held = answer.held
        yield answer


def _question(service: Service, calibration: Calibration, scrapes: int) -> Question:
    return Question(
        rule=service.kind, measure=MEASURES[service.kind], deployed=DEPLOYED, began=DEPLOYED,
        now=DEPLOYED + scrapes * STEP, setting=service.setting, calibration=calibration, nothing_known=False, cut=(),
        earlier=(), proving=False,
    )  # fmt: skip


def timed(call: Callable[[], object], times: int) -> tuple[float, ...]:
    """Processor time of each call, in ms; the first one only warms up."""
    found = []
    for _ in range(times + 1):
        began = time.thread_time()
        call()
        found.append(1000 * (time.thread_time() - began))
    return tuple(found[1:])


def _one_pass(service: Service) -> None:
    """The simplest thing that statistics could do with a day of samples."""
    for found in service.before.values():
        for series in found:
            gammaln(np.frombuffer(series.values) + 1)


def _parsed(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels as each answer of a source brings them: not those of the answer before."""
    parsed: dict[str, str] = json.loads(json.dumps(dict(labels)))
    return parsed


def service_of(kind: str, worse: float) -> Service:
    """What it measures is `worse` times what it was, from the deploy on."""
    rng = np.random.default_rng(1)
    before: Array = DEPLOYED + 7 - STEP * np.arange(DAY, 0, -1, dtype=np.float64)
    after: Array = DEPLOYED + 7 + STEP * np.arange(-2, SCRAPES[-1], dtype=np.float64)
    make = _counters if MEASURES[kind].selectors else _gauges
    return Service(kind, make(kind, rng, before, 1.0), make(kind, rng, after, worse))


def _counters(kind: str, rng: np.random.Generator, times: Array, worse: float) -> Samples:
    """Four requests a second and pod; 1 % fail, 5 % take longer than 0.25 s."""
    out: Samples = {name: [] for name in MEASURES[kind].selectors}
    for pod in range(PODS):
        requests = rng.poisson(4 * STEP, len(times))
        if kind == "ratio":
            failed = rng.binomial(requests, 0.01 * worse)
            for code, many in (("200", requests - failed), ("500", failed)):
                out["total"].append(_series(f"api-{pod}", times, many.cumsum(), code=code))
            out["events"].append(_series(f"api-{pod}", times, failed.cumsum(), code="500"))
            continue
        above = np.minimum(worse * np.array([0.99, 0.95, 0.8, 0.5, 0.2, 0.05, 0.02, 0.01, 0.002, 5e-4, 1e-4, 0]), 0.99)
        for edge, share in zip(EDGES, 1 - above, strict=True):
            below = requests if edge == "+Inf" else rng.binomial(requests, share)
            out["buckets"].append(_series(f"api-{pod}", times, below.cumsum(), le=edge))
    return out


def _gauges(kind: str, rng: np.random.Generator, times: Array, worse: float) -> Samples:
    """Half a core; or 100 MB a pod that, where it is worse, grow by 20 MB an hour."""
    noise = rng.standard_normal((PODS, len(times)))
    if kind == "level":
        return {"query": [Series(_labels("api-0"), _doubles(times), _doubles(worse * (0.5 + 0.02 * noise[0])))]}
    grown = 1e8 + (worse > 1) * 2e7 * (times - times[0]) / 3600 + 2e5 * noise
    memory = [_series(f"api-{pod}", times, grown[pod]) for pod in range(PODS)]
    return {"query": memory, "limit": [_series("api-0", times, np.full(len(times), 2.5e8))]}


def _labels(pod: str, **more: str) -> dict[str, str]:
    known = {"__name__": "shop_api", "namespace": "shop", "job": "api", "container": "api", "node": "worker-1"}
    return {**known, "pod": pod, "instance": f"{pod}.shop:8080", **more}


def _series(pod: str, times: Array, values: Array, **more: str) -> Series:
    return Series(_labels(pod, **more), _doubles(times), _doubles(values))


def _doubles(values: Array) -> array[float]:
    return array("d", np.asarray(values, np.float64).tobytes())
