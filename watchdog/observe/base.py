"""What the engine asks of the world. A platform, source or probe is anything that fits one of these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, runtime_checkable

from watchdog.model.deploy import EvidenceItem, Recorded, Revision, Snapshot
from watchdog.model.measurement import Observation
from watchdog.model.rule import Measure
from watchdog.model.series import Series
from watchdog.model.target import Target


class Platform(Protocol):
    """Reads one kind of target. Methods may be called from several threads, for different targets."""

    resyncs: bool
    """Whether what `start` began also finds, by itself, what it missed: then the engine does not sweep."""

    def snapshot(self, target: Target, now: datetime, *, whole: bool = True) -> Snapshot:
        """What is true of the target now. With `whole=False`, for a target that nothing is going on with, a platform
        may return a glance (`Snapshot.whole`) where that is cheaper.

        Raises Unavailable when the platform does not answer, Refused when it answers that it can't (no such project
        file, no right to ask).
        """
        ...

    def record(self, target: Target, snapshot: Snapshot, previous: Revision | None) -> Recorded:
        """Everything needed to bring this revision back later, and a summary of what changed since `previous`.

        Called once for each deploy, when its rollout settled and once when it was first seen. Raises as `snapshot`,
        and Unavailable when what runs by now is not the snapshot's revision any more.
        """
        ...

    def evidence(self, target: Target, snapshot: Snapshot) -> Sequence[EvidenceItem]:
        """What a rollback would destroy: logs, events, states. Raises as `snapshot`; part is better than nothing."""
        ...

    def history(self, target: Target, limit: int) -> Sequence[str]:
        """Names of revisions the platform itself still has, newest first; empty where it keeps none."""
        ...

    def check(self, target: Target) -> Sequence[str]:
        """What is missing before this target can be guarded, one helpful line each; empty: nothing is."""
        ...

    def start(self, targets: Sequence[Target], wake: Callable[[str], None]) -> None:
        """Begin to listen for changes: call `wake(target name)` at once when something happened to it."""
        ...

    def stop(self) -> None:
        """End everything `start` began."""
        ...


class Discovery(Protocol):
    """A platform whose targets may be patterns. Its `start` calls `wake` with the names of found targets too."""

    def discover(self, pattern: Target) -> Sequence[Target]:
        """The targets that the pattern stands for now, asked of the platform. Raises as `snapshot`."""
        ...


class History(Protocol):
    """What a source remembers: for `compare` rules and backtests. Safe to use from several threads.

    Both methods raise Unavailable when the source does not answer, in time or completely, and Refused when it answers
    that it can't: a bad selector, no right to ask, more than may be held. Never a part of the truth without a word.
    No series is an answer too: there was none.
    """

    def series(self, selectors: Mapping[str, str], start: datetime, end: datetime) -> Mapping[str, Sequence[Series]]:
        """The raw samples after `start` up to and with `end`, by what the caller calls each selector.

        Each sample at the time of its scrape: those of one scrape of one instance have the same time. All labels are
        kept. Histograms are classic, cumulative series with `le`.
        """
        ...

    def evaluate(self, query: str, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        """What the expression was at `start` and each `step` after it, up to and with `end`; no value, no sample."""
        ...


class ScrapedHistory(History, Protocol):
    """The History of a page, which remembers only what it was told to keep."""

    def scrape(self, wanted: Collection[str], now: datetime) -> None:
        """Fetch the page once and keep what it says at `now` of these selectors and expressions: to be called each
        interval as long as they are in a rule, whether a watch is open or not, always with all of them. Raises as
        the others; then this scrape is missing."""
        ...


class VersionChange(NamedTuple):
    """A deploy that only its traces tell of."""

    at: datetime
    revision: str


@runtime_checkable
class DeployFinder(Protocol):
    """A source that may remember deploys by a label that says the version."""

    def deploys_by_label(self, selector: str, label: str, start: datetime, end: datetime) -> Sequence[VersionChange]:
        """When the selector's series began to have another value of the label, oldest first. Raises as History."""
        ...


class Gauge(Protocol):
    """Measures rules of the kinds it was made for: a source (prometheus, scrape) or a probe (http, tcp, command)."""

    def measure(self, measure: Measure, now: datetime) -> Observation:
        """Ask once. `measure` has its templates filled in.

        Never raises for what the outside does: down, slow, 4xx, 5xx, nonsense and too much are `Observation.error`.
        A probe that was answered wrongly, or not at all, is a sample of value 0, since that is what it asks about.
        """
        ...

    def check(self, measure: Measure) -> Sequence[str]:
        """What is wrong with asking this, one helpful line each: unreachable, bad syntax; empty: nothing."""
        ...
