"""Rolls a command target back by its `rollback` program: an argument list, no shell, within a time limit.

The program is trusted to be safe to run twice with the same revision; the watchdog runs it only if `history` still
lists that revision, and not at all if `status` says that it is back already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from watchdog.command_answers import Programs
from watchdog.errors import BadTemplate, Refused, Unavailable
from watchdog.model.deploy import Phase, Revision, Snapshot
from watchdog.model.rollback import ActResult, Draft, Plan
from watchdog.model.target import CommandSpec, Target
from watchdog.template import render

_OUTPUT = 64 * 1024
"""Bytes kept of what `rollback` prints to stdout, and to stderr: the last ones."""

_LISTED = 10  # revisions named in a refusal


class CommandActor:
    """Acts on targets whose spec is a CommandSpec. `environment`: variables for the programs besides PATH and the
    like."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._programs = Programs(environment)

    def draft(self, target: Target, to: Revision, running: Snapshot) -> Draft:
        """The program's arguments. Raises Refused when `history` does not list the revision, Unavailable when it
        gives no answer."""
        spec = _spec(target)
        history = self._programs.history(spec.history, spec.directory, spec.timeout)
        if to.id not in history:
            listed = ", ".join(history[:_LISTED]) or "none"
            raise Refused(f"the history of {target.name} does not list revision {to.id} any more; it lists: {listed}")
        argv = _rollback(target, spec, to.id)
        warnings = [to.note] if to.note else []
        if running.name == to.id:
            warnings.append(f"{to.id} runs already")
        services = sorted({instance.service for instance in running.instances})
        return Draft(
            changes=tuple(services) or (target.name,),
            expected={"revision": to.id},
            commands=(argv,),
            warnings=tuple(warnings),
        )

    def execute(self, target: Target, plan: Plan, to: Revision) -> ActResult:
        """Run the planned program, unless the revision is back already. Never raises for what the programs do."""
        spec = _spec(target)
        if self._is_back(spec, plan.draft.expected["revision"]):
            return ActResult(ok=True, reason=f"{to.id} runs already; nothing was done")
        argv = plan.draft.commands[0]
        try:
            done = self._programs.run(argv, spec.directory, target.rollback.timeout, keep="end", limit=_OUTPUT)
        except Unavailable as failure:
            return ActResult(ok=False, reason=str(failure))
        parts = [self._programs.masked(text).strip() for text in (done.out, done.err)]
        return ActResult(
            ok=done.ok,
            reason=f"the rollback command {argv[0]!r} {self._programs.words(done)}",
            output="\n".join(part for part in parts if part),
            took=done.took,
        )

    def matches(self, target: Target, plan: Plan, running: Snapshot) -> Sequence[str]:
        """Where what runs differs from the plan; empty: nowhere."""
        expected = plan.draft.expected["revision"]
        if running.name != expected:
            return [f"revision {running.name or 'none'} runs, not {expected}"]
        if running.rollout.phase is not Phase.complete:
            reason = f": {running.rollout.reason}" if running.rollout.reason else ""
            return [f"the rollout of {expected} is {running.rollout.phase.value}{reason}"]
        return []

    def preserve(self, target: Target, keep: Sequence[Revision]) -> None:
        """Nothing to do: the programs keep their own revisions, and `draft` asks `history` whether they still do."""

    def _is_back(self, spec: CommandSpec, revision: str) -> bool:
        """Whether an earlier try, cut off by a restart of the watchdog, was enough. If nobody can say: no."""
        try:
            status = self._programs.status(spec.status, spec.directory, min(spec.timeout, timedelta(seconds=30)))
        except Unavailable:
            return False
        return status.revision == revision and status.phase is Phase.complete


def _spec(target: Target) -> CommandSpec:
    if not isinstance(target.spec, CommandSpec):
        raise TypeError(f"{target.name} is a {target.spec.kind} target, not a command target")
    return target.spec


def _rollback(target: Target, spec: CommandSpec, revision: str) -> tuple[str, ...]:
    context = {**target.vars, "revision": revision, "target": target.name, "environment": target.environment}
    try:
        return tuple(render(argument, context) for argument in spec.rollback)
    except BadTemplate as error:
        raise Refused(f"the rollback command of {target.name} can't be filled in: {error}") from error
