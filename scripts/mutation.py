"""Tests the tests: changes guard, judge and store in one small way after the other, and asks whether a test notices.

mutmut makes the changes ("mutants") and asks the tests that reach the changed function, until the first one fails. Here
is what it lacks for runs in pieces:

- It ends within `--minutes`, and the next call goes on from there. What was tested is kept in `.cache/mutation`.
- A change of a source file brings back the mutants of the functions that changed. A change of the tests brings back
  those mutants that no test had noticed, and no others.
- One process at a time, in a fixed order: what is most dangerous when wrong comes first.
- `docs/mutation.md` is written after each part; with `--minutes 0` nothing is tested, and the page is written alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from mutation_page import KILLED, TIMEOUT, write_page

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".cache" / "mutation"
LINKED = ("watchdog", "tests", "rules", "watchdog.example.yaml")
"""What the tests read, as far as it is asked for here."""
ENDING = 60
"""Seconds that mutmut gets to end, after it was told to."""


@dataclass(frozen=True)
class Part:
    """Some files, and the quick tests that are about them."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its mutants and results are: mutmut knows one selection of tests in a folder."""
        return KEPT / self.name


PARTS = (
    Part("guard", ("watchdog/act/guard.py",), ("tests/act/test_guard.py", "tests/engine")),
    Part("judge", ("watchdog/judge/*.py",), ("tests/judge",), without=("watchdog/judge/compare/*.py",)),
    Part("store", ("watchdog/store/*.py",), ("tests/store", "tests/contract")),
    Part("compare", ("watchdog/judge/compare/*.py",), ("tests/judge", "tests/engine")),
)


def prepare(part: Part) -> None:
    """Its folder, as mutmut wants to find it; results that are out of date are forgotten."""
    part.folder.mkdir(parents=True, exist_ok=True)
    for name in LINKED:
        link = part.folder / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)
    (part.folder / "pyproject.toml").write_text(settings(part))
    now = {"files": digest(part.files), "tests": digest(part.tests)}
    kept = part.folder / "digests.json"
    before = json.loads(kept.read_text()) if kept.exists() else now
    if now != before:  # which test reaches which function is asked again
        (part.folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    forget(part, everything_unnoticed=now["tests"] != before["tests"])
    kept.write_text(json.dumps(now))


def settings(part: Part) -> str:
    """The project's own, with what mutmut is asked of this part. JSON's lists are TOML's."""
    lines = [
        "[tool.mutmut]",
        f"only_mutate = {json.dumps(part.files)}",
        f"do_not_mutate = {json.dumps(part.without)}",
        f"pytest_add_cli_args_test_selection = {json.dumps(part.tests)}",
    ]
    text = (ROOT / "pyproject.toml").read_text()
    return text.replace(f"{lines[0]}\n", "\n".join(lines) + "\n")


def digest(places: tuple[str, ...]) -> str:
    """Of the content of all files there."""
    found = hashlib.sha256()
    for path in sorted(path for place in places for path in python_files(place)):
        found.update(f"{path.relative_to(ROOT)}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def python_files(place: str) -> Iterator[Path]:
    """Those of a folder, a pattern or a file."""
    return (ROOT / place).rglob("*.py") if (ROOT / place).is_dir() else ROOT.glob(place)


def forget(part: Part, *, everything_unnoticed: bool) -> None:
    """So that mutmut tests them again: what was interrupted, and perhaps what no test noticed."""
    for path in (part.folder / "mutants").rglob("*.meta"):
        try:
            meta = json.loads(path.read_text())
        except json.JSONDecodeError:  # mutmut was killed while it wrote
            path.unlink()
            path.with_suffix("").unlink()
            continue
        codes = meta["exit_code_by_key"]
        for mutant, code in codes.items():
            if code == int(signal.SIGINT) or (everything_unnoticed and code not in KILLED | TIMEOUT):
                codes[mutant] = None
        path.write_text(json.dumps(meta, indent=4))


def test(part: Part, until: float) -> int | None:
    """The exit code of mutmut; None where the time was over before its end. In either case what it found is kept."""
    with (part.folder / "log").open("wb") as output:
        running = subprocess.Popen(
            [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", "1"],
            cwd=part.folder,
            stdout=output,
            stderr=output,
            env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(Path(__file__).parent)},
        )
        try:
            return running.wait(timeout=max(until - time.monotonic(), 0))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            end(running)
            return None


def end(running: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C would."""
    running.send_signal(signal.SIGINT)
    try:
        running.wait(timeout=ENDING)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait(timeout=ENDING)


def tail(part: Part) -> str:
    """What mutmut said last."""
    return (part.folder / "log").read_text(errors="replace").replace("\r", "\n")[-3000:]


def terminated(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM is like Ctrl-C: the page is written."""
    raise KeyboardInterrupt


def main() -> int:
    """Test as much as the time allows, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=110, help="end after so many; 0 writes the page alone")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(p.name for p in PARTS)}; default: all")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, terminated)
    until, failed = time.monotonic() + asked.minutes * 60, False
    for part in PARTS:
        if asked.minutes and part.name in (asked.parts or [p.name for p in PARTS]):
            print(f"testing {part.name}", flush=True)
            prepare(part)
            code = test(part, until)
            write_page(ROOT, KEPT, tested=True)
            if code is None:
                break
            if code:
                failed = True
                print(f"mutmut ended with exit code {code}:\n{tail(part)}", file=sys.stderr)
    write_page(ROOT, KEPT, tested=bool(asked.minutes))
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
