"""One ratio or latency rule of one watch: calibrated once, then judged after every scrape from its counts so far.

The same samples give the same finding, also after a restart: what an earlier look saw only spares work.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from watchdog.judge.compare import sentence, startup
from watchdog.judge.compare.arrays import Array, Flags, plain
from watchdog.judge.compare.calibrate import Calibrated, History, calibrate
from watchdog.judge.compare.concurrent import bounds_beside
from watchdog.judge.compare.dispersion import FEWEST
from watchdog.judge.compare.gates import Counts
from watchdog.judge.compare.latency import choose_edges
from watchdog.judge.compare.pooling import BUDGET, GROSS_SHARE, both_tiers, needed
from watchdog.judge.compare.power import smallest_factor, tells
from watchdog.judge.compare.tiers import LATENCY, RATIO, Bounds, Course, Tolerance, course
from watchdog.model.comparison import CompareKind, CountCalibration, Finding, TrackCalibration
from watchdog.model.measurement import Verdict


def tolerance_of(kind: CompareKind) -> Tolerance:
    """What is too small to matter for this kind of rule."""
    return LATENCY if kind is CompareKind.latency else RATIO


def edges_for(above: Array, total: Array) -> tuple[int, ...]:
    """Which of the buckets' edges a latency rule tests: numbers into `above` (edges, scrapes), total (scrapes,)."""
    return tuple(int(n) for n in np.unique(choose_edges(above.sum(axis=-1), total.sum(axis=-1))))


def calibrate_counts(
    kind: CompareKind,
    before: Counts,
    kept: Flags,
    *,
    interval: float,
    watch_seconds: float,
    weight: float,
    signals: int,
    budget: float = BUDGET,
    edges: tuple[float, ...] = (),
    earlier: tuple[Counts, ...] = (),
) -> CountCalibration:
    """How the rule is judged during this watch.

    `before`: at most a day of counts up to the deploy; `kept` (scrapes,) is False within incidents and earlier
    watches. `earlier`: the first five minutes of earlier good deploys, same tracks. `weight` comes from
    `pooling.signal_weights`, `signals` is how many there are.
    """
    history = History(before.events[None], before.total, kept[None])
    none = startup.unlearned((1,), len(before.events))
    found = calibrate(
        history,
        tolerance=tolerance_of(kind),
        watch_seconds=watch_seconds,
        interval=interval,
        signals=signals,
        start=none[0],
        start_peak=none[1],
    )
    start, peak = none
    if earlier:
        start, peak = startup.learn(
            np.stack([each.events for each in earlier])[None],
            np.stack([each.total for each in earlier])[None],
            np.repeat(found.bounds.p_star[:, None], len(earlier), axis=1),
            found.bounds.phi,
            interval,
        )
    alone = needed(budget) - log(weight * (1 - GROSS_SHARE))
    per_second = float(found.bounds.usual[0, 0]) / interval
    return CountCalibration(
        kind=kind,
        tracks=tuple(_track(found, number, float(peak[0, number]), edges) for number in range(len(before.events))),
        interval_seconds=interval,
        watch_seconds=watch_seconds,
        start_seconds=float(start[0]),
        start_from=sentence.start_from(len(earlier), float(start[0]), startup.ENOUGH),
        placebos=int(found.placebos[0].min()),
        phi_from=sentence.phi_from(int(found.placebos[0].min()), FEWEST),
        needed_ln_e=alone,
        sees=_sees(found, max(watch_seconds - float(start[0]), 0.0), per_second, alone),
    )


def _track(found: Calibrated, number: int, peak: float, edges: tuple[float, ...]) -> TrackCalibration:
    bounds = found.bounds
    return TrackCalibration(
        edge=edges[number] if edges else None,
        events=float(found.events[0, number]),
        total=float(found.total[0, number]),
        window_seconds=float(found.seconds[0, number]),
        p_star=float(bounds.p_star[0, number]),
        phi=float(bounds.phi[0, number]),
        gross_star=float(bounds.gross_star[0, number]),
        gross_phi=float(bounds.gross_phi[0, number]),
        start_peak=peak,
        usual=float(bounds.usual[0, number]),
    )


def _sees(found: Calibrated, seconds: float, per_second: float, alone: float) -> str:
    """The best that any track can show."""
    bounds, factors = found.bounds, []
    for number in range(bounds.p_star.shape[1]):
        rate = float(found.events[0, number] / max(float(found.total[0, number]), 1.0))
        star, phi = float(bounds.p_star[0, number]), float(bounds.phi[0, number])
        factors.append(smallest_factor(rate, star, phi, seconds * per_second, alone))
    known = [factor for factor in factors if factor is not None]
    return sentence.cannot_see(min(known, default=None), seconds, per_second)


def bounds_of(calibration: CountCalibration) -> Bounds:
    """The calibration as arrays."""
    tracks = calibration.tracks
    numbers = [(t.p_star, t.phi, t.gross_star, t.gross_phi, t.start_peak, t.usual) for t in tracks]
    p_star, phi, gross_star, gross_phi, start_peak, usual = np.array(numbers, float).reshape(-1, 6).T
    return Bounds(
        p_star=p_star,
        phi=phi,
        gross_star=gross_star,
        gross_phi=gross_phi,
        start=np.array(calibration.start_seconds),
        start_peak=start_peak,
        usual=usual,
    )


def judge_counts(
    rule: str,
    what: str,
    calibration: CountCalibration,
    after: Counts,
    *,
    weight: float,
    beside: Counts | None = None,
) -> Finding:
    """What the counts since the deploy say. `what`: the words of the sentence, such as `errors`.

    `beside`: counts of the old pods that still run, in the same scrapes; they are the baseline where they tell enough.
    The verdict is `failed` where this rule fills its share of the budget alone; `pooling.together` sees them all.
    """
    return finding_of(rule, what, calibration, seen_of(calibration, after, beside), weight=weight)


@dataclass(frozen=True)
class Seen:
    """What there was to see at a look, and how much it shows."""

    after: Counts
    beside: Counts | None
    """Of the old pods that still run."""
    course: Course
    evidence: Array
    """ln E after each scrape: both tiers, all tracks."""

    @property
    def nbytes(self) -> int:
        """Of memory, for the numbers."""
        beside = self.beside.nbytes if self.beside is not None else 0
        return self.after.nbytes + beside + self.course.gross.nbytes + self.course.fine.nbytes + self.evidence.nbytes

    def unchanged(self, after: Counts, beside: Counts | None) -> int:
        """How many of the first scrapes are as they were."""
        if self.beside is None or beside is None:
            return self.after.alike(after) if self.beside is beside else 0
        return min(self.after.alike(after), self.beside.alike(beside))


def seen_of(
    calibration: CountCalibration, after: Counts, beside: Counts | None = None, known: Seen | None = None
) -> Seen:
    """The evidence of these counts; `known`: an earlier look, of which what is unchanged is not judged again."""
    bounds, interval = bounds_of(calibration), calibration.interval_seconds
    same = gross_same = known.unchanged(after, beside) if known is not None else 0
    if beside is not None:
        tolerance, signals = tolerance_of(calibration.kind), max(1, len(bounds.p_star))
        bounds = bounds_beside(bounds, beside, tolerance, signals, interval)
        gross_same = 0  # its bound is the old pods' rate by now, at all scrapes
    if known is None:
        found = course(after, bounds, interval)
        return Seen(after, beside, found, both_tiers(found.gross, found.fine))
    first = Course(known.course.gross[..., :gross_same], known.course.fine[..., :same])
    found = course(after, bounds, interval, first)
    later = both_tiers(found.gross[..., gross_same:], found.fine[..., gross_same:])
    return Seen(after, beside, found, np.concatenate((known.evidence[..., :gross_same], later), axis=-1))


def finding_of(rule: str, what: str, calibration: CountCalibration, seen: Seen, *, weight: float) -> Finding:
    """What is said of this evidence."""
    after, found, evidence = seen.after, seen.course, seen.evidence
    now = float(evidence[-1]) if evidence.shape[-1] else 0.0
    group = "latency" if calibration.kind is CompareKind.latency else "errors"
    best = _leading(found)
    track, total = calibration.tracks[best], float(after.total.sum())
    events = float(after.events[best].sum())
    before, rate = track.events / max(track.total, 1.0), events / max(total, 1.0)
    if total <= 0:
        verdict, words = Verdict.inconclusive, f"{what}: no requests since the deploy"
    else:
        named = f"{what} over {track.edge:g} s" if track.edge is not None else what
        words = sentence.of_requests(named, before, rate, events, total, now)
        verdict = _verdict(evidence, calibration, total)
    return Finding(
        rule=rule, group=group, verdict=verdict, ln_e=now, course=plain(evidence), weight=weight,
        tier=_tier(found, best), p_star=track.p_star, phi=track.phi, phi_from=calibration.phi_from,
        before=before, after=rate, events_before=track.events, total_before=track.total,
        events_after=events, total_after=total, sentence=words,
    )  # fmt: skip


def _leading(found: Course) -> int:
    """The track with the most evidence now."""
    if not found.fine.shape[-1]:
        return 0
    return int(np.maximum(found.gross[:, -1], found.fine[:, -1]).argmax())


def _tier(found: Course, track: int) -> str | None:
    if not found.fine.shape[-1] or max(found.gross[track, -1], found.fine[track, -1]) <= 0:
        return None
    return "gross" if found.gross[track, -1] >= found.fine[track, -1] else "fine"


def _verdict(evidence: Array, calibration: CountCalibration, total: float) -> Verdict:
    """Failed where it was ever enough: more data never takes a trip back."""
    alone = calibration.needed_ln_e + log(1 - GROSS_SHARE)
    if float(evidence.max()) >= alone:
        return Verdict.failed
    rates = np.array([track.events / max(track.total, 1.0) for track in calibration.tracks])
    stars, phis = (np.array(part) for part in zip(*((t.p_star, t.phi) for t in calibration.tracks), strict=True))
    told = tells(rates, stars, phis, np.array(total), alone)
    return Verdict.passed if told else Verdict.inconclusive
