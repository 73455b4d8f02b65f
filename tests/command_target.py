"""A command target made of small Python programs in a folder: what they answer is in files that a test writes."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

from watchdog.model.target import CommandSpec, RollbackPolicy, Target

_PROGRAM = """\
import json, os, pathlib, sys, time
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
exec((here / (sys.argv[1] + ".py")).read_text())
"""


class Programs:
    """The programs of one target."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "program.py").write_text(_PROGRAM)
        self.status(revision="v1", phase="complete")
        self.history("v1")
        self.does("logs", "print('one line')")
        self.does("rollback", "print('done')")

    def does(self, what: str, code: str) -> None:
        """From now on, this Python code is that program."""
        whole = self.folder / f"{what}.new"
        whole.write_text(code)
        whole.rename(self.folder / f"{what}.py")  # at once: the watchdog may be running it

    def prints(self, what: str, text: str) -> None:
        self.does(what, f"print({text!r}, end='')")

    def status(self, **document: object) -> None:
        self.prints("status", json.dumps(document))

    def history(self, *revisions: str) -> None:
        self.prints("history", json.dumps(revisions))

    def calls(self, what: str) -> list[list[str]]:
        """The arguments of each run of that program."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call[1:] for call in map(json.loads, lines) if call[0] == what]

    def target(self, timeout: timedelta = timedelta(seconds=200), **more: object) -> Target:
        def argv(*words: str) -> tuple[str, ...]:
            return (sys.executable, "-S", str(self.folder / "program.py"), *words)

        spec = CommandSpec(
            status=argv("status"),
            history=argv("history"),
            rollback=argv("rollback", "--to={{ revision }}", "{{ environment }}"),
            logs=argv("logs"),
            directory=str(self.folder),
            timeout=timeout,
            poll=timedelta(seconds=0.05),
        )
        fields = {"name": "shop", "spec": spec, "rollback": RollbackPolicy(timeout=timedelta(seconds=200)), **more}
        return Target.model_validate(fields)
