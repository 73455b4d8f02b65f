"""What learning a service's usual start helps: the same cold starts, judged with more and more known of them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.rollback.running import WAYS
from bench.rollback.scenarios import COLD
from bench.rollback.tables import Scores, false_share, markdown, percent, seconds
from watchdog.judge.compare.pooling import BUDGET

_WORDS = """\
Cold starts of 30 to 90 s with latency ×3 and errors ×5 that fade: false rollbacks in percent, with their 95 %
interval (Wilson) and bound. *Ignored*: as if no version ever needed time; the weak spot that the design names (0–20
%). *Not learnt*: no earlier good deploys are known, and the fine tier leaves out the first minute. *Learnt*: from
five earlier good deploys that started cold too. The last column is what learning that a service starts at once is
worth: percent of errors 1→5 % found, and the median seconds, before and after."""
_STARTS = ("ignored", "not learnt", "learnt")
_SOONER = ("1→5 %, starts unknown", "errors 1→5 %")


def section(scores: Scores, noises: Sequence[str], rates: Sequence[float]) -> list[str]:
    """Words, the table, and whether the learnt starts stay below the budget."""
    rows = [["noise, requests/s", *_STARTS, "errors 1→5 % found: not learnt → learnt"]]
    over = []
    for noise in noises:
        for rate in rates:
            cells = [scores[noise, rate, name, WAYS[0]] for name in COLD]
            found = [scores[noise, rate, name, WAYS[0]] for name in _SOONER]
            sooner = " → ".join(f"{percent(cell.share)} % in {seconds(cell.median)} s" for cell in found)
            rows.append([f"{noise}, {rate:g}", *(false_share(cell) for cell in cells), sooner])
            if cells[-1].share >= BUDGET:
                over.append(f"{noise} noise at {rate:g}/s: {false_share(cells[-1])} %")
    return [_WORDS, markdown(rows), _verdict(over, len(noises) * len(rates))]


def _verdict(over: Sequence[str], many: int) -> str:
    if not over:
        return f"Cold starts, learnt: below 1 % in all {many} cells."
    return f"Cold starts, learnt: below 1 % in {many - len(over)} of {many} cells; not in these: {'; '.join(over)}."
