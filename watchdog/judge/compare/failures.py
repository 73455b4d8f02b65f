"""What crash and probe rules lend to the evidence of compare rules: restarts, and probes that failed, so far.

Such a rule trips by its own condition. Its finding only speaks in the pool, and what it says follows from its totals
alone, so that the finding of the last look is all a new process needs.
"""

from __future__ import annotations

from watchdog.judge.compare import probing, restarts, sentence
from watchdog.model.comparison import Finding
from watchdog.model.measurement import Verdict

FAILURES = "failures"
TRIAL_SECONDS = 15.0
"""Probes closer together than this say the same thing: each counts for its share of one trial."""


def restarted(
    rule: str, count: int, seconds: float, *, weight: float, instances: int = 1, hour_before: int = 0
) -> Finding:
    """`count` restarts that nobody ordered within the `seconds` since the deploy, of all instances together;
    `hour_before`: as many in the last hour of the version before."""
    known = (hour_before + 1) / 3600 if hour_before else 0.0
    ln_e = float(restarts.ln_e(float(count), seconds, max(restarts.USUAL * max(1, instances), known)))
    return Finding(
        rule=rule, group=FAILURES, verdict=Verdict.inconclusive, ln_e=ln_e, course=(), weight=weight,
        after=float(count), events_before=float(hour_before), events_after=float(count),
        sentence=sentence.of_restarts(count, seconds, ln_e),
    )  # fmt: skip


def probed(rule: str, failed: int, made: int, *, weight: float, interval: float, usual: float = 0.0) -> Finding:
    """`failed` of `made` probes since the first that passed, `interval` seconds apart; `usual`: the share of failures
    before the deploy."""
    phi = max(1.0, TRIAL_SECONDS / interval)
    ln_e = float(probing.ln_e(failed / phi, made / phi, usual))
    return Finding(
        rule=rule, group=FAILURES, verdict=Verdict.inconclusive, ln_e=ln_e, course=(), weight=weight,
        phi=phi, phi_from=f"probes every {interval:g} s", before=usual, after=failed / max(made, 1),
        events_after=float(failed), total_after=float(made), sentence=sentence.of_probes(failed, made, ln_e),
    )  # fmt: skip
