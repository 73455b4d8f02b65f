"""The proof after a rollback: did it heal the service? Pure.

Recovered is a claim people act on, so it is never made of silence alone: everything must pass, measured since the
rollback, without a break for `verify_for`. What could not be measured is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from watchdog.model.base import format_duration
from watchdog.model.measurement import Verdict
from watchdog.model.rollback import Verification
from watchdog.model.rule import Rule
from watchdog.model.target import RollbackPolicy
from watchdog.model.watch import UNMEASURED, Progress


@dataclass(frozen=True)
class Proof:
    """The verification as far as it has come now, and what follows."""

    verification: Verification
    state: Literal["continue", "recovered", "failed"]
    reason: str


def verify(
    verification: Verification,
    differences: Sequence[str],
    rules: Sequence[Rule],
    progress: Mapping[str, Progress],
    policy: RollbackPolicy,
    now: datetime,
) -> Proof:
    """The proof at `now`.

    `differences` is where what runs differs from the plan; `rules` are the tripped rules and the probes; `progress`
    is theirs since the rollback (`watch.verify_progress`).

    Recovered: for `verify_for` without a break nothing differed and every rule's last verdict was pass, the newest
    within the last `verify_for`. That may begin until `began_at + verify_timeout`; at the deadline, `verify_for`
    later, something is wrong if a difference is left or a rule's last verdict is fail: failed, naming it. If all that
    lacks is data (inconclusive, no errors) and probes exist and passed for `verify_for`: recovered, saying so, since
    no traffic is no harm. Anything else is failed, as not proven.
    """
    checks = [_check(rule, progress.get(rule.name, UNMEASURED), verification.began_at) for rule in rules]
    wrong = [*differences, *(check.line for check in checks if check.verdict is Verdict.failed)]
    lacking = [check for check in checks if check.verdict not in (Verdict.passed, Verdict.failed)]
    silent = bool(lacking) and all(check.verdict is Verdict.inconclusive for check in lacking)
    probed = any(check.rule.probe for check in checks) and not any(check.rule.probe for check in lacking)
    calm = not wrong and (not lacking or (silent and probed))
    verification = verification.model_copy(
        update={
            "passing_since": _since(verification.passing_since, now, holds=not wrong and not lacking),
            "unopposed_since": _since(verification.unopposed_since, now, holds=calm),
            "lines": (*differences, *(check.line for check in checks)),
        }
    )
    fresh = not policy.verify_for or all(now - c.at < policy.verify_for for c in checks if c.at is not None)
    if fresh and _lasted(verification.passing_since, policy, now):
        return Proof(verification, "recovered", _why_recovered(checks, policy))
    if now < verification.began_at + policy.verify_timeout + policy.verify_for:
        return Proof(verification, "continue", _waiting_for(verification, wrong, lacking, policy, now))
    if wrong:
        return Proof(verification, "failed", "; ".join(wrong))
    unmeasured = "; ".join(check.line for check in lacking)
    if lacking and fresh and _lasted(verification.unopposed_since, policy, now):
        reason = f"runs as planned and the probes passed for {format_duration(policy.verify_for)}; {unmeasured}"
        return Proof(verification, "recovered", reason)
    if unmeasured:
        return Proof(verification, "failed", f"not proven: {unmeasured}")
    return Proof(verification, "failed", f"not proven: {_waiting_for(verification, wrong, lacking, policy, now)}")


def begin_again(verification: Verification, now: datetime) -> Verification:
    """The verification after a gap in which nothing was measured: what was seen before it proves nothing now."""
    return verification.model_copy(update={"began_at": now, "passing_since": None, "unopposed_since": None})


@dataclass(frozen=True)
class _Check:
    rule: Rule
    verdict: Verdict | None
    """None: not measured since the rollback."""
    at: datetime | None
    line: str


def _check(rule: Rule, progress: Progress, began_at: datetime) -> _Check:
    if progress.last is None or progress.last_at is None or progress.last_at < began_at:
        return _Check(rule, None, None, f"{rule.name}: not measured since the rollback")
    return _Check(rule, progress.last, progress.last_at, f"{rule.name}: {progress.last.value} ({progress.last_reason})")


def _since(before: datetime | None, now: datetime, *, holds: bool) -> datetime | None:
    """The beginning of the unbroken run; a clock that went back begins a new one."""
    if not holds:
        return None
    return before if before is not None and before <= now else now


def _lasted(since: datetime | None, policy: RollbackPolicy, now: datetime) -> bool:
    return since is not None and now - since >= policy.verify_for


def _why_recovered(checks: Sequence[_Check], policy: RollbackPolicy) -> str:
    lasting = f"for {format_duration(policy.verify_for)}"
    if not checks:
        return f"runs as planned {lasting}; there was no rule or probe to ask"
    return f"runs as planned and passes {lasting}: {', '.join(check.rule.name for check in checks)}"


def _waiting_for(
    verification: Verification, wrong: Sequence[str], lacking: Sequence[_Check], policy: RollbackPolicy, now: datetime
) -> str:
    if wrong or lacking:
        return "; ".join((*wrong, *(check.line for check in lacking)))
    passing = now - (verification.passing_since or now)
    if passing >= policy.verify_for:
        return f"the newest measurements are older than verify_for ({format_duration(policy.verify_for)})"
    return f"everything passes, for {format_duration(passing)} of {format_duration(policy.verify_for)}"
