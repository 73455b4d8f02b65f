"""How often must it fail? A pure fold of verdicts into `Progress`, and the arithmetic of a trip in words.

What each verdict does to an unbroken run of failures (`for`, `consecutive_failures`):

- fail: the run goes on, or begins.
- pass, inconclusive: the run ends. `for` means "failed at every measurement", and no data is not a failure; with it
  counted, a service that loses its traffic would be rolled back for silence.
- error: the run stands still. The source failed, which says nothing about the service, so it neither counts nor ends
  what was seen; and of a `for`, only the time between two neighbouring failures counts, so no error can complete one.
- blind (`consecutive_errors` in a row), time going backwards, a gap in which nothing was measured: the run ends,
  since nobody knows any more that it was unbroken. `failure_limit` counts failures in all, so it keeps its count.

Once tripped, a rule stays tripped, with the reason it had then.
"""

from __future__ import annotations

from datetime import datetime

from watchdog.model.base import format_duration
from watchdog.model.measurement import Outcome, Verdict
from watchdog.model.rule import Rule
from watchdog.model.watch import Progress


def advance(progress: Progress, rule: Rule, outcome: Outcome, at: datetime) -> Progress:
    """The progress after one more measurement, made at `at` (UTC)."""
    if progress.last_at is not None and at < progress.last_at:
        progress = after_gap(progress)
    match outcome.verdict:
        case Verdict.error:
            after = _erred(progress, rule, at)
        case Verdict.failed:
            after = _failed(progress, at)
        case _:
            after = after_gap(progress).model_copy(update={"consecutive_errors": 0, "blind": False})
    after = after.model_copy(
        update={
            "measured": progress.measured + 1,
            "last": outcome.verdict,
            "last_at": at,
            "last_reason": outcome.reason,
        }
    )
    if after.tripped or outcome.verdict is not Verdict.failed:
        return after
    why = trips(after, rule, at)
    if why is None:
        return after
    return after.model_copy(update={"tripped": True, "trip_reason": _told(why, rule, outcome)})


def after_gap(progress: Progress) -> Progress:
    """What remains true after a stretch in which nothing was measured: counts stay, unbroken runs start again."""
    return progress.model_copy(update={"failing_since": None, "consecutive_failures": 0, "consecutive_errors": 0})


def trips(progress: Progress, rule: Rule, at: datetime) -> str | None:
    """Whether the measurements so far trip the rule: its arithmetic, or None.

    `for` trips at the measurement that makes the run as long as asked for; `failure_limit` when more than this many
    failed in all; `consecutive_failures` when this many failed in a row.
    """
    if rule.for_ is not None:
        if progress.failing_since is None or at - progress.failing_since < rule.for_:
            return None
        return f"failing for {format_duration(at - progress.failing_since)} >= for ({format_duration(rule.for_)})"
    if rule.failure_limit is not None:
        if progress.failures <= rule.failure_limit:
            return None
        return f"failed ({progress.failures}) > failure_limit ({rule.failure_limit})"
    if rule.consecutive_failures is None or progress.consecutive_failures < rule.consecutive_failures:
        return None
    return f"failed in a row ({progress.consecutive_failures}) >= consecutive_failures ({rule.consecutive_failures})"


def _told(why: str, rule: Rule, outcome: Outcome) -> str:
    """What was measured first, then the arithmetic; where one failure is enough, there is none."""
    return outcome.reason if rule.consecutive_failures == 1 else f"{outcome.reason}; {why}"


def _failed(progress: Progress, at: datetime) -> Progress:
    run = _without_errors(progress, at)
    return run.model_copy(
        update={
            "failures": progress.failures + 1,
            "consecutive_failures": progress.consecutive_failures + 1,
            "failing_since": run.failing_since or at,
            "consecutive_errors": 0,
            "blind": False,
        }
    )


def _erred(progress: Progress, rule: Rule, at: datetime) -> Progress:
    errors = progress.consecutive_errors + 1
    if errors >= rule.consecutive_errors:
        progress = after_gap(progress).model_copy(update={"blind": True})
    elif progress.failing_since is not None and progress.last_at is not None:
        progress = _shifted(progress, at)
    return progress.model_copy(update={"consecutive_errors": errors})


def _without_errors(progress: Progress, at: datetime) -> Progress:
    """The run without the time since the last measurement, if that one was an error."""
    return _shifted(progress, at) if progress.last is Verdict.error else progress


def _shifted(progress: Progress, at: datetime) -> Progress:
    if progress.failing_since is None or progress.last_at is None:
        return progress
    return progress.model_copy(update={"failing_since": progress.failing_since + (at - progress.last_at)})
