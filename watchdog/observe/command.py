"""A platform made of programs: `status`, `history` and `logs` of a command target. Reads, changes nothing.

The programs answer for what is true: the watchdog keeps no picture of its own. Deploys are noticed by asking `status`
every `poll`; one slow program delays only its own target.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from watchdog.command_answers import Programs, StatusDocument, snapshot_of
from watchdog.errors import Unavailable
from watchdog.model.deploy import EvidenceItem, Recorded, Revision, Snapshot
from watchdog.model.target import CommandSpec, Target
from watchdog.template import names

log = logging.getLogger(__name__)

LOGS = 256 * 1024
"""Bytes kept of what `logs` prints to stdout, and to stderr: the last ones."""

_STOP_WITHIN = 3.0  # seconds; a running program is cancelled, and killed at the latest two seconds later


class CommandPlatform:
    """Reads targets whose spec is a CommandSpec. `environment`: variables for the programs besides PATH and the
    like."""

    resyncs = False

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._programs = Programs(environment)
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def snapshot(self, target: Target, now: datetime, *, whole: bool = True) -> Snapshot:
        """What `status` says. Raises Unavailable when it fails, hangs or prints something else."""
        return snapshot_of(self._status(target), now)

    def record(self, target: Target, snapshot: Snapshot, previous: Revision | None) -> Recorded:
        """Only what `status` said, and exact: bringing a revision back is the `rollback` program's own business."""
        summary = snapshot.summary
        if not summary and previous is not None:
            summary = f"{previous.id} → {snapshot.name}"
        status = snapshot.model_dump(mode="json", include={"name", "summary", "rollout", "instances", "images"})
        return Recorded(summary=summary, images=snapshot.images, exact=True, recorded={"status": status})

    def evidence(self, target: Target, snapshot: Snapshot) -> Sequence[EvidenceItem]:
        """The status, and the end of what `logs` prints. A `logs` that fails is told in a note; nothing is raised."""
        spec = _spec(target)
        state = EvidenceItem(
            kind="state", name="status", text=self._programs.masked(snapshot.model_dump_json(indent=2))
        )
        if not spec.logs:
            return [state]
        try:
            done = self._programs.run(spec.logs, spec.directory, spec.timeout, keep="end", limit=LOGS)
        except Unavailable as failure:
            return [state, EvidenceItem(kind="note", name="logs", text=f"no logs were kept: {failure}")]
        items = [state]
        for name, printed, truncated in (
            ("logs", done.out, done.out_truncated),
            ("logs (stderr)", done.err, done.err_truncated),
        ):
            text = _from_whole_line(printed) if truncated else printed
            if text:
                items.append(
                    EvidenceItem(kind="logs", name=name, text=self._programs.masked(text), truncated=truncated)
                )
        if not done.ok:
            text = f"the logs command {spec.logs[0]!r} {self._programs.words(done)}"
            items.append(EvidenceItem(kind="note", name="logs", text=text))
        return items

    def history(self, target: Target, limit: int) -> Sequence[str]:
        """What `history` prints, newest first. Raises Unavailable."""
        spec = _spec(target)
        return self._programs.history(spec.history, spec.directory, spec.timeout)[:limit]

    def check(self, target: Target) -> Sequence[str]:
        """Run `status` and `history`, and look for `rollback` and `logs` without running them. A line that begins
        with `note:` is worth knowing, but not wrong."""
        spec = _spec(target)
        if spec.directory is not None and not Path(spec.directory).is_dir():
            return [f"the directory {spec.directory!r} does not exist"]
        problems = [
            f"the {what} program {argv[0]!r} was not found, or is not executable"
            for what, argv in (("rollback", spec.rollback), ("logs", spec.logs))
            if argv and "{" not in argv[0] and not _found(argv[0], spec.directory)
        ]
        if not any("revision" in names(argument) for argument in spec.rollback):
            problems.append("note: rollback does not use {{ revision }}, so it can't be told where to go back to")
        try:
            status = self._status(target)
            history = self.history(target, limit=1000)
        except Unavailable as failure:
            return [*problems, str(failure)]
        if status.revision and status.revision not in history:
            problems.append(f"note: history does not list the revision that runs, {status.revision!r}")
        return problems

    def start(self, targets: Sequence[Target], wake: Callable[[str], None]) -> None:
        """Ask each target's `status` every `poll`; wake it when the revision, the phase or the exits changed."""
        if self._threads:
            raise RuntimeError("this platform was started already")
        self._ended.clear()
        for target in targets:
            thread = threading.Thread(target=self._poll, args=(target, wake), name=f"poll {target.name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End the polling, and a program that runs for it, within a few seconds."""
        self._ended.set()
        for thread in self._threads:
            thread.join(_STOP_WITHIN)
        self._threads = []

    def _poll(self, target: Target, wake: Callable[[str], None]) -> None:
        spec = _spec(target)
        known: tuple[object, ...] | None = None  # so that the first answer wakes: a deploy may have come just before
        failing = False
        while not self._ended.is_set():
            try:
                status = self._programs.status(spec.status, spec.directory, spec.timeout, cancel=self._ended)
            except Unavailable as failure:
                # Whoever asks for a snapshot is told; here it is only said once, not every second.
                if not failing and not self._ended.is_set():
                    log.warning("cannot poll %s: %s", target.name, failure)
                failing = True
            else:
                failing = False
                seen = (status.revision, status.phase, len(status.exits), status.exits[-1:])
                if seen != known:
                    wake(target.name)
                known = seen
            self._ended.wait(spec.poll.total_seconds())

    def _status(self, target: Target) -> StatusDocument:
        spec = _spec(target)
        return self._programs.status(spec.status, spec.directory, spec.timeout)


def _from_whole_line(text: str) -> str:
    """Half a line may begin with half a secret, which masking would not find; of one endless line, a part goes."""
    return text.partition("\n")[2] or text[1024:]


def _spec(target: Target) -> CommandSpec:
    if not isinstance(target.spec, CommandSpec):
        raise TypeError(f"{target.name} is a {target.spec.kind} target, not a command target")
    return target.spec


def _found(program: str, directory: str | None) -> bool:
    if "/" in program and not program.startswith("/"):
        program = str(Path(directory or ".") / program)
    return shutil.which(program) is not None
