#!/usr/bin/env python3
"""Runs the whole suite, part by part, and says at its end what each part took and which tests failed.

Parts of one lane are run one after another, lanes side by side. Every part is run, also after one that failed.
Processor time is counted with that of all daemons: what a test leaves to itself becomes a child of this program (Linux'
"subreaper"), which counts it, and ends it. Under CI=true more processor time than BUDGET allows is a failure.
Standard library only: it also runs the part that installs everything else.

    scripts/suite.py [PART …]    all of them, or these and what they need
"""

from __future__ import annotations

import ctypes
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".cache" / "suite"
"""What each part printed, and what pytest says of its tests."""

BUDGET = 205_000
"""Processor time of all parts that are counted, in units of `unit()`: a fifth over what it was when this was written.
Units and not seconds, as machines differ, and as two loops on one core make each other slow."""
HEAVY = 6_500
"""Units that one test may take, a minute on a quiet machine; what daemons do for it is not seen."""
BESIDE = 0.3
"""Neither is asked for where other programs took more than this part of our own time: under load all takes more."""
EVERY, WORD = 10.0, 60.0
"""Seconds between two measurements of the unit, and between two words on what is under way."""
PATIENCE = 120.0
"""Seconds that what a test left may take to end by itself."""
REASON, TAIL, SHOWN = 3, 40, 5
"""Lines that are shown of why a test failed, and of what a part printed; tests that are shown as the heaviest."""
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Part:
    """One command. It begins when what it `needs` has ended, well or not; what it comes `after`, where that is run too;
    and what stands before it in its lane."""

    name: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    lane: str = "units"
    counted: bool = True
    """Whether its processor time is: what is kept between runs is not done in each."""
    pytest: bool = False


def parts() -> list[Part]:
    """All of them. Tests against real things wait a lot: their lanes have more workers than there are cores."""
    python, make = str(ROOT / ".venv/bin/python"), ("make", "--no-print-directory")
    units = ("tests", "--ignore", "tests/real", "--ignore", "tests/chart")
    covered = ("--cov", "--cov-report=", "--cov-fail-under=0")  # the part `coverage` asks for the floor
    by_file, by_test = ("--dist", "loadfile"), ("--dist", "worksteal")
    live, node = "tests/real/test_judging_live.py", "tests/real/cluster"

    def tests(name: str, *words: str, needs: tuple[str, ...] = (), lane: str = "") -> Part:
        argv = (python, "-m", "pytest", "-q", f"--junit-xml={FOLDER / name}.xml", *words)
        after = ("slow",) if "image" in needs else ()
        return Part(name, argv, ("install", "components", *needs), after, lane or name, pytest=True)

    return [
        Part("install", (*make, ".venv/.dev")),
        Part("components", ("scripts/test-deps",), lane="components", counted=False),
        Part("programs", ("scripts/build-cluster",), lane="programs", counted=False),
        Part("image", (python, "-m", "tests.real.watchdog_image"), ("install", "components", "programs"), lane="image"),
        tests("live", live),
        Part("lint", (*make, "lint"), ("install",)),
        tests("quick", "-n2", *by_file, "-m", "not slow", *covered, *units, lane="units"),
        tests("slow", "-n2", *by_file, "-m", "slow", "--cov-append", *covered, *units, lane="units"),
        Part("coverage", (python, "-m", "coverage", "report", "--skip-covered")),
        tests("node", "-n2", *by_test, "-m", "alone", node, needs=("image",)),
        tests("cluster", "-n4", *by_test, "-m", "not alone", node, "tests/chart", needs=("image",)),
        tests("compose", "-n3", *by_test, "--ignore", live, "--ignore", node, "tests/real", needs=("image",)),
    ]


@dataclass
class Run:
    """What became of a part."""

    part: Part
    pid: int
    began: float
    seconds: float = 0.0
    processor: float = 0.0
    status: int | None = None


@dataclass
class Tests:
    """What pytest wrote down of a part's tests. `failed`: names and why; `processor`: seconds and names."""

    passed: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    processor: list[tuple[float, str]] = field(default_factory=list)


def unit() -> float:
    """Seconds of this thread's processor time that a fixed piece of work takes: some 9 ms in docs/testing.md."""
    began = time.thread_time()
    total = 0
    for number in range(200_000):
        total += number * number % 7
    return time.thread_time() - began


class Every(threading.Thread):
    """Calls something now and then, until it is closed."""

    def __init__(self, seconds: float, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._seconds, self._call = seconds, call
        self._ended = threading.Event()

    def run(self) -> None:
        """The thread's own."""
        while not self._ended.wait(self._seconds):
            self._call()

    def close(self) -> None:
        """Returns when it is over."""
        self._ended.set()
        self.join()


class Suite:
    """Starts parts when their time has come, and reaps every process that ends."""

    def __init__(self, parts: Iterable[Part], folder: Path = FOLDER) -> None:
        self._waiting, self._folder = list(parts), folder
        self.runs: list[Run] = []
        self.left = 0.0
        """Processor time of what was left to itself, in seconds: of daemons above all."""

    def run(self) -> None:
        """Returns when all is over."""
        while self._waiting or self._under_way():
            for part in list(self._due()):
                self._waiting.remove(part)
                self._start(part)
            self._reap()
        self._await_what_is_left()

    def stop(self) -> None:
        """As Ctrl-C does: end what is under way, and begin nothing more. Returns when all is over."""
        self._waiting.clear()
        for run in self._under_way():
            os.kill(run.pid, signal.SIGINT)
        self.run()

    def say(self) -> None:
        """What is under way."""
        now = time.monotonic()
        print("...", *(f"{run.part.name} {clock(now - run.began)}" for run in self._under_way()), flush=True)

    def log(self, part: Part) -> Path:
        """What it printed."""
        return self._folder / f"{part.name}.log"

    def _under_way(self) -> list[Run]:
        return [run for run in self.runs if run.status is None]

    def _due(self) -> Iterator[Part]:
        """The next part of each lane that is free, where all that it needs has ended."""
        ahead = {part.name for part in self._waiting} | {run.part.name for run in self._under_way()}
        busy = {run.part.lane for run in self._under_way()}
        for part in self._waiting:
            if part.lane not in busy and not ahead & {*part.needs, *part.after}:
                yield part
            busy.add(part.lane)

    def _start(self, part: Part) -> None:
        print(f"--- {part.name} begins", flush=True)
        (self._folder / f"{part.name}.xml").unlink(missing_ok=True)
        with self.log(part).open("wb") as log:
            process = subprocess.Popen(part.argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process.returncode = 0  # it is waited for in _reap, for the sake of its processor time
        self.runs.append(Run(part, process.pid, time.monotonic()))

    def _reap(self, options: int = 0) -> bool:
        """Wait for one process to end; whether one did."""
        try:
            pid, status, used = os.wait4(-1, options)
        except ChildProcessError:
            return False
        if pid == 0:
            return False
        processor = used.ru_utime + used.ru_stime
        run = next((run for run in self._under_way() if run.pid == pid), None)
        if run is None:
            self.left += processor
            return True
        run.seconds, run.processor = time.monotonic() - run.began, processor
        run.status = os.waitstatus_to_exitcode(status)
        lines = self.log(run.part).read_text(errors="replace").splitlines()
        print(f"--- {run.part.name}: exit code {run.status} after {clock(run.seconds)}")
        print(*lines[-(TAIL if run.status else 1) :], sep="\n", flush=True)
        return True

    def _await_what_is_left(self) -> None:
        """What ends with the tests may take a moment. What does not is named, and ended by its number."""
        deadline = time.monotonic() + PATIENCE
        while children() and time.monotonic() < deadline:
            if not self._reap(os.WNOHANG):
                time.sleep(0.1)
        for pid in children():
            print(f"--- left running, ended now: {pid} {command(pid)}", flush=True)
            os.kill(pid, signal.SIGKILL)
            self._reap()


def children() -> list[int]:
    """The processes that have nobody but this one, and were not waited for."""
    try:
        return [int(pid) for pid in Path("/proc/self/task", str(os.getpid()), "children").read_text().split()]
    except OSError:
        return []  # no Linux: what was left is not ours to see


def machine_time() -> float:
    """Seconds of processor time that all programs of this machine took since it began; 0: no Linux."""
    try:
        words = Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, *interrupts = map(int, words[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def command(pid: int) -> str:
    """Its command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "(over)"


def adopt() -> None:
    """Become the parent of what a descendant leaves to itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read(report: Path) -> Tests:
    """What pytest's report says; without one there were no tests."""
    tests = Tests()
    if not report.exists():
        return tests
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 -- our own pytest wrote it
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        used = case.find("properties/property[@name='processor']")
        tests.processor.append((0.0 if used is None else float(used.get("value", 0)), name))
        bad = [thing for thing in case if thing.tag in {"failure", "error"}]
        if bad:
            tests.failed.append((name, why(bad[0])))
        elif case.find("skipped") is not None:
            tests.skipped += 1
        else:
            tests.passed += 1
    return tests


def why(failure: ET.Element) -> str:
    """Its first lines."""
    lines = [line for line in (failure.get("message") or failure.text or "").splitlines() if line.strip()]
    return "\n".join(f"    {line[:200]}" for line in lines[:REASON])


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def table(runs: Sequence[Run], left: float, seconds: float, one: float) -> list[str]:
    """Rows of what each part took; `one`: seconds of a unit."""
    rows = [("part", "time", "processor", "units", "")]
    for run in runs:
        notes = [f"FAILED ({run.status})" if run.status else "", "" if run.part.counted else "not counted"]
        units = f"{run.processor / one:,.0f}"
        rows.append((run.part.name, clock(run.seconds), clock(run.processor), units, " ".join(filter(None, notes))))
    rows.append(("daemons", "", clock(left), f"{left / one:,.0f}", ""))
    used = counted(runs, left)
    rows.append(("all", clock(seconds), clock(used), f"{used / one:,.0f}", f"budget: {BUDGET:,} units"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        f"{name:<{widths[0]}}  {took:>{widths[1]}}  {processor:>{widths[2]}}  {units:>{widths[3]}}  {note}".rstrip()
        for name, took, processor, units, note in rows
    ]


def counted(runs: Iterable[Run], left: float) -> float:
    """Seconds of processor time that the budget is about."""
    return left + sum(run.processor for run in runs if run.part.counted)


def chosen(names: Sequence[str]) -> list[Part]:
    """These parts and what they need; without names all."""
    everything = {part.name: part for part in parts()}
    wanted, look = set[str](), list(names) or list(everything)
    while look:
        name = look.pop()
        if name not in everything:
            sys.exit(f"there is no part {name}; there are: {', '.join(everything)}")
        look += [] if name in wanted else everything[name].needs
        wanted.add(name)
    return [part for part in everything.values() if part.name in wanted]


def main(names: Sequence[str]) -> int:
    """Run them, and sum up."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    adopt()
    suite, units = Suite(chosen(names)), [unit()]
    beside = [Every(EVERY, lambda: units.append(unit())), Every(WORD, suite.say)]
    began, busy = time.monotonic(), machine_time()
    for thread in beside:
        thread.start()
    try:
        suite.run()
    except KeyboardInterrupt:
        suite.stop()
    took = time.monotonic() - began
    for thread in beside:
        thread.close()

    one, failed = statistics.fmean(units), [run for run in suite.runs if run.status]
    tests = [read(FOLDER / f"{run.part.name}.xml") for run in suite.runs if run.part.pytest]
    print(f"\nOn {os.cpu_count()} cores; a unit of processor time took {one * 1000:.1f} ms.")
    print(*table(suite.runs, suite.left, took, one), sep="\n")
    bad = [failure for one in tests for failure in one.failed]
    for name, reason in bad:
        print(f"\nFAILED {name}\n{reason}")
    ours = suite.left + sum(run.processor for run in suite.runs)
    others = max(0.0, machine_time() - busy - ours)
    over = counted(suite.runs, suite.left) / one > BUDGET
    heavy = sorted((used / one, name) for part in tests for used, name in part.processor)[-SHOWN:]
    print(f"\nMost units were taken by (a test may take {HEAVY:,}):")
    print(*(f"{units:>7,.0f}  {name}" for units, name in reversed(heavy)), sep="\n")
    over = over or any(units > HEAVY for units, _ in heavy)
    if others > BESIDE * ours:
        print(f"\nNo budget is asked for: other programs took {clock(others)} of processor time beside this.")
        over = False
    elif over:
        print(f"\nThis took more processor time than is allowed: see BUDGET and HEAVY in {Path(__file__).name}")
    print(f"\nparts that failed: {', '.join(run.part.name for run in failed) or 'none'}")
    passed, skipped = sum(one.passed for one in tests), sum(one.skipped for one in tests)
    print(f"{passed} passed, {max(len(bad), len(failed))} failed, {skipped} skipped", flush=True)
    return int(bool(failed) or (over and os.environ.get("CI", "").lower() == "true"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
