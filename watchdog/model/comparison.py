"""What `compare` rules find: frozen, storable values without arrays, made by judge/compare and shown by reports."""

from __future__ import annotations

from enum import StrEnum

from watchdog.model.base import Value
from watchdog.model.verdict import Verdict


class CompareKind(StrEnum):
    """What is compared with the version before."""

    ratio = "ratio"
    latency = "latency"
    level = "level"
    growth = "growth"


class TrackCalibration(Value):
    """One share of requests that is tested: the errors, or those above one bucket edge."""

    edge: float | None = None
    """The bucket's edge in the metric's unit; None for a ratio."""
    events: float
    total: float
    """The baseline's counts."""
    window_seconds: float
    p_star: float
    phi: float
    gross_star: float
    gross_phi: float
    start_peak: float
    """The highest rate seen in earlier good starts."""
    usual: float
    """Requests in a scrape."""


class CountCalibration(Value):
    """How a ratio or latency rule is judged during one watch; made once per deploy, stored with the watch."""

    kind: CompareKind
    tracks: tuple[TrackCalibration, ...]
    interval_seconds: float
    watch_seconds: float
    start_seconds: float
    start_from: str
    placebos: int
    phi_from: str
    needed_ln_e: float
    """What the fine tier needs to reach alone: ln of 1/budget over its share of the weight."""
    sees: str
    """In words, what this traffic can show within the watch."""


class LevelCalibration(Value):
    """How a level rule is judged during one watch."""

    median: float
    scale: float
    bound: float
    phi: float
    placebos: int
    worse: float
    """1: higher is bad; -1: lower is."""
    per: LevelCalibration | None = None
    """Of the gauge per unit of work; None: that is not known."""
    yesterday: tuple[float | None, ...] = ()
    """The gauge's one-minute means a day before the watch; empty: not known, or there was an incident or a watch."""
    yesterday_from: float = 0.0
    """When those begin, in unix seconds."""


class GrowthCalibration(Value):
    """How a growth rule is judged: the previous version's slope at the same age, the container's limit."""

    slope_before: float | None
    """In the gauge's unit a second; None where there is no previous version."""
    limit: float | None
    horizon_seconds: float


Calibration = CountCalibration | LevelCalibration | GrowthCalibration


class Finding(Value):
    """What one compare rule has found so far. `ln_e` is the evidence now, `course` after each look."""

    rule: str
    group: str
    verdict: Verdict
    ln_e: float
    course: tuple[float, ...]
    weight: float
    tier: str | None = None
    """gross or fine: the one that holds more of the evidence; None for signals without tiers."""
    p_star: float | None = None
    phi: float | None = None
    phi_from: str | None = None
    before: float | None = None
    """Rate, or level, of the baseline."""
    after: float | None = None
    events_before: float | None = None
    total_before: float | None = None
    events_after: float | None = None
    total_after: float | None = None
    sentence: str


class Judgement(Value):
    """All compare rules of a watch together."""

    fails: bool
    ln_e: float
    needed_ln_e: float
    weights: dict[str, float]
    findings: tuple[Finding, ...]
    """A rule's verdict is `failed` where all of them together fail and it holds the most evidence, or enough alone."""
    sentence: str
