"""All compare rules of a watch together: does their pooled evidence fill the budget, and which rule is the reason?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from watchdog.judge.compare.pooling import BUDGET, needed
from watchdog.model.comparison import Finding, Judgement
from watchdog.model.measurement import Verdict


def together(
    findings: Sequence[Finding], budget: float = BUDGET, failed_before: Mapping[str, str] | None = None
) -> Judgement:
    """The judgement of the findings of one moment; weights are theirs, and add to at most 1.

    Pooled E = Σ weight·E, and 1 for weight that no finding uses: a signal without data is no evidence. A rule fails
    where it fills the budget alone, or where all do together and none has more; `failed_before` (rule → its sentence
    then) keeps a trip that was stored.
    """
    kept = dict(failed_before or {})
    if not findings:
        return Judgement(
            fails=bool(kept),
            ln_e=0.0,
            needed_ln_e=needed(budget),
            weights={},
            findings=(),
            sentence="nothing to compare",
        )
    parts = [float(np.log(each.weight)) + each.ln_e for each in findings]
    unused = max(0.0, 1 - sum(each.weight for each in findings))
    pooled = float(np.logaddexp.reduce([*parts, float(np.log(max(unused, 1e-300)))]))
    enough = needed(budget)
    most = max(parts)
    out = tuple(
        each.model_copy(update={"verdict": Verdict.failed, "sentence": kept.get(each.rule, each.sentence)})
        if each.rule in kept or each.verdict is Verdict.failed or (pooled >= enough and part >= most)
        else each
        for each, part in zip(findings, parts, strict=True)
    )
    fails = any(each.verdict is Verdict.failed for each in out)
    reasons = [each.sentence for each in out if each.verdict is Verdict.failed]
    return Judgement(
        fails=fails,
        ln_e=pooled,
        needed_ln_e=enough,
        weights={each.rule: each.weight for each in findings},
        findings=out,
        sentence="; ".join(reasons) if fails else _calm(out),
    )


def _calm(findings: Sequence[Finding]) -> str:
    unknown = [each.rule for each in findings if each.verdict is Verdict.inconclusive]
    if unknown:
        return f"no evidence that the new version is worse; too little is known of {', '.join(unknown)}"
    return "no evidence that the new version is worse than the one before"
