"""All evidence of a watch together: does it fill the budget, and which compare rule is the reason?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from watchdog.judge.compare import sentence
from watchdog.judge.compare.failures import FAILURES
from watchdog.judge.compare.pooling import BUDGET, needed
from watchdog.model.comparison import Finding, Judgement
from watchdog.model.measurement import Verdict

OWN = float(np.log(2))
"""ln E that a rule must have itself before it is the reason: E = 2 says that worse is twice as likely as not worse."""
_NAMED = 3
"""How many others a sentence names."""


def together(findings: Sequence[Finding], budget: float = BUDGET, lent: Sequence[Finding] = ()) -> Judgement:
    """The judgement of the findings of one moment; weights are theirs, and add to at most 1.

    Pooled E = Σ weight·E, and 1 for weight that no finding uses: a signal without data is no evidence. A compare rule
    fails where it fills the budget alone; or where all do together, it has evidence of its own, and none has more.
    `lent` is what crash and probe rules know: it adds to the evidence, and only their own conditions trip them.
    """
    if not findings:
        return Judgement(
            fails=False, ln_e=0.0, needed_ln_e=needed(budget), weights={}, findings=(), sentence="nothing to compare"
        )
    everything = [*findings, *lent]
    unused = max(0.0, 1 - sum(each.weight for each in everything))
    pooled = float(np.logaddexp.reduce([*map(_part, everything), float(np.log(max(unused, 1e-300)))]))
    enough = needed(budget)
    most = max((_part(each) for each in findings if each.ln_e >= OWN), default=float("inf"))
    out = tuple(
        _led(each, everything) if pooled >= enough and each.ln_e >= OWN and _part(each) >= most else each
        for each in findings
    )
    reasons = [each.sentence for each in out if each.verdict is Verdict.failed]
    return Judgement(
        fails=bool(reasons),
        ln_e=pooled,
        needed_ln_e=enough,
        weights={each.rule: each.weight for each in everything},
        findings=out,
        sentence="; ".join(reasons) or _calm(out),
    )


def _part(finding: Finding) -> float:
    """ln of what it adds to the pooled E."""
    return float(np.log(finding.weight)) + finding.ln_e


def _led(finding: Finding, everything: Sequence[Finding]) -> Finding:
    """It fails for all of them; where it would not alone, its sentence names what else spoke, strongest first."""
    if finding.verdict is Verdict.failed:
        return finding
    spoke = [each for each in everything if each.ln_e >= OWN and each.rule != finding.rule]
    spoke.sort(key=_part, reverse=True)
    others = [_short(each) for each in spoke[:_NAMED]]
    return finding.model_copy(update={"verdict": Verdict.failed, "sentence": sentence.beside(finding.sentence, others)})


def _short(finding: Finding) -> str:
    """Counts for what happened, without their odds; another compare rule by its name."""
    return finding.sentence.partition(";")[0] if finding.group == FAILURES else finding.rule


def _calm(findings: Sequence[Finding]) -> str:
    unknown = [each.rule for each in findings if each.verdict is Verdict.inconclusive]
    if unknown:
        return f"no evidence that the new version is worse; too little is known of {', '.join(unknown)}"
    return "no evidence that the new version is worse than the one before"
