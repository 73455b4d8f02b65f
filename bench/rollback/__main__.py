"""`python -m bench.rollback`: the whole bench, written to docs/; `--quick`: a short one that fails when it got worse.

Exit codes: 0 done; 1 (with --quick) false rollbacks over the budget, or detection a tenth below the reference.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.machine import ROOT, facts
from bench.rollback.page import page, plots
from bench.rollback.quick import QUICK_NAMES, QUICK_NOISES, QUICK_RATES, REFERENCE_FILE, complaints, measured
from bench.rollback.running import Answer, Task, run
from bench.rollback.scenarios import EVERY, OFTEN
from bench.rollback.scores import table
from bench.rollback.services import NOISES

RATES = (1.0, 10.0, 100.0, 1000.0)
CHUNK = 50
"""Services at a time: what fits into the processor's cache."""
MORE = 4
"""Times as many runs of the good deploys that are to stay below the budget: 2,000 show 1 % to a third of it."""
_NOT_USED = {"SQLite", "Docker", "Compose", "Kubernetes", "Helm"}
"""Facts of a machine that say nothing of this bench."""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.rollback", description="Judge simulated deploys.")
    parser.add_argument("--quick", action="store_true", help="two minutes; compare with the reference numbers")
    parser.add_argument("--write-reference", action="store_true", help="with --quick: make these the reference numbers")
    parser.add_argument("--runs", type=int, default=None, help="runs of each cell (500; with --quick 400)")
    parser.add_argument("--print", action="store_true", help="print the page; write nothing")
    parser.add_argument("--seed", type=int, default=20250101)
    asked = parser.parse_args()
    began = time.monotonic()
    if asked.quick:
        answers = _all(_tasks(asked.seed, asked.runs or 400, quick=True))
        took = time.monotonic() - began
        return compare(answers, Path(__file__).parent / REFERENCE_FILE, write=asked.write_reference, took=took)
    answers = _all(_tasks(asked.seed, asked.runs or 500, quick=False))
    command = "python -m bench.rollback" + (f" --runs {asked.runs}" if asked.runs else "")
    command += f" --seed {asked.seed}" if asked.seed != 20250101 else ""
    known = {name: value for name, value in facts().items() if name not in _NOT_USED}
    runs = asked.runs or 500
    known["runs"] = f"{runs} in each cell, {MORE * runs} of our engine in most cells of good deploys; seed {asked.seed}"
    known["took"] = f"{time.monotonic() - began:.0f} s"
    scores, noises = table(answers), [noise.name for noise in NOISES]
    if asked.print:
        print(page(known, command, scores, noises, RATES))
        return 0
    docs = ROOT / "docs"
    (docs / "bench-rollback.md").write_text(page(known, command, scores, noises, RATES))
    for name, drawn in plots(scores, noises, RATES).items():
        (docs / name).write_text(drawn)
    print(f"written: {docs / 'bench-rollback.md'}", file=sys.stderr)
    return 0


def _tasks(seed: int, runs: int, *, quick: bool) -> list[Task]:
    pasts = sorted({scenario.past for scenario in EVERY if not quick or scenario.name in QUICK_NAMES})
    out = []
    for number, noise in enumerate(NOISES):
        for rate in RATES:
            if quick and (noise.name not in QUICK_NOISES or rate not in QUICK_RATES):
                continue
            for place, past in enumerate(pasts):
                for chunk in range(0, runs, CHUNK):
                    key = (seed, number, int(rate), place, chunk)
                    names = QUICK_NAMES if quick else ()
                    out.append(Task(key, noise, rate, past, min(CHUNK, runs - chunk), names))
            if not quick:
                out += _more(seed, runs, number, rate, pasts.index("plain"))
    return out


def _more(seed: int, runs: int, number: int, rate: float, place: int) -> list[Task]:
    """Further services for good deploys, judged by our engine alone."""
    return [
        Task((seed, number, int(rate), place, chunk), NOISES[number], rate, "plain", CHUNK, OFTEN, alone=True)
        for chunk in range(runs, MORE * runs, CHUNK)
    ]


def _all(tasks: Sequence[Task]) -> list[Answer]:
    """Every task on all cores, the longest first; progress on stderr."""
    order = sorted(tasks, key=lambda task: (task.past != "plain", -task.rate))
    answers = []
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        for done, answer in enumerate(pool.imap_unordered(run, order), start=1):
            answers.append(answer)
            if done % 20 == 0 or done == len(order):
                print(f"{done} of {len(order)} chunks", file=sys.stderr, flush=True)
    return sorted(answers, key=lambda answer: answer.task.seed)


def compare(answers: Sequence[Answer], reference: Path, *, write: bool, took: float) -> int:
    """Print what got worse than the reference numbers; the exit code. `write`: make these the reference first."""
    now = measured(table(answers))
    if write:
        reference.write_text(json.dumps(now, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    wrong = complaints(now, json.loads(reference.read_text()))
    for line in wrong or [f"{len(now)} cells as good as the reference, in {took:.0f} s"]:
        print(line)
    return int(bool(wrong))


if __name__ == "__main__":
    # One thread for each process: the work is split by chunks.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    sys.exit(main())
