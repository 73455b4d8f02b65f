"""What the programs of a command target must print, read strictly; docs/config.md and docs/sources.md tell users.

Shared by the side that observes and the side that acts. A program that fails or prints something else makes
Unavailable, with what it printed (short, secrets masked) and what was expected.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from watchdog.errors import Unavailable
from watchdog.model.deploy import Exit, Instance, Phase, Rollout, Snapshot
from watchdog.model.masking import mask, secrets_in
from watchdog.subprocesses import Completed, minimal_environment, run

# A revision becomes an argument of `rollback`: it must not read as an option, nor hide spaces or line ends.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:@/+~=-]{0,199}$")]

_SHOWN = 200  # characters of an unexpected answer that are shown


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class InstanceDocument(_Document):
    """One process or container. `ended_abnormally`: it is not running, and nobody ordered that."""

    id: str = Field(min_length=1)
    service: str = Field(min_length=1)
    name: str = ""
    """The `id` if left out."""
    image: str = ""
    state: Literal["created", "running", "restarting", "exited", "paused", "dead"] = "running"
    health: Literal["none", "starting", "healthy", "unhealthy"] = "none"
    exit_code: int | None = None
    restarts: int = Field(default=0, ge=0)
    one_shot: bool = False
    ended_abnormally: bool = False
    started_at: AwareDatetime | None = None


class ExitDocument(_Document):
    """One abnormal end, oldest first."""

    instance: str
    service: str
    at: AwareDatetime
    exit_code: int | None = None
    oom_killed: bool = False
    reason: str = ""


class StatusDocument(_Document):
    """What `status` prints: one JSON object."""

    revision: Name | Literal[""]
    """Empty: nothing runs."""
    phase: Phase
    reason: str = ""
    summary: str = ""
    instances: tuple[InstanceDocument, ...] = ()
    exits: tuple[ExitDocument, ...] = ()


T = TypeVar("T")

_STATUS = TypeAdapter(StatusDocument)
_HISTORY = TypeAdapter(tuple[Name, ...], config=ConfigDict(strict=True))


class Programs:
    """Runs the programs of command targets, and reads their answers.

    They see PATH, HOME and the like (`subprocesses.minimal_environment`) and what `environment` adds; the values of
    what is added with a secret-looking name are masked wherever a program's words are kept.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {**minimal_environment(), **(environment or {})}
        self._secrets = secrets_in(environment or {})

    def run(
        self,
        argv: tuple[str, ...],
        directory: str | None,
        timeout: timedelta,
        *,
        keep: Literal["start", "end"] = "start",
        limit: int = 1024 * 1024,
        cancel: threading.Event | None = None,
    ) -> Completed:
        """Run one of them. Raises Unavailable when it can't be started."""
        return run(argv, timeout=timeout, cwd=directory, env=self._environment, keep=keep, limit=limit, cancel=cancel)

    def status(
        self,
        argv: tuple[str, ...],
        directory: str | None,
        timeout: timedelta,
        cancel: threading.Event | None = None,
    ) -> StatusDocument:
        """What is true now. Raises Unavailable."""
        printed = self._answer("status", argv, directory, timeout, cancel)
        return self._read("status", argv, _STATUS, printed, 'an object with "revision" and "phase"')

    def history(self, argv: tuple[str, ...], directory: str | None, timeout: timedelta) -> tuple[str, ...]:
        """The revisions there are, newest first. Raises Unavailable."""
        printed = self._answer("history", argv, directory, timeout, None)
        return self._read("history", argv, _HISTORY, printed, "a list of revisions, newest first")

    def masked(self, text: str) -> str:
        """A program's words without secrets, as far as they can be known."""
        return mask(text, self._secrets)

    def words(self, done: Completed) -> str:
        """How a program ended, and its last line."""
        said = self.masked(done.last_words)
        return done.outcome + (f": {said}" if said else "")

    def _answer(
        self,
        what: str,
        argv: tuple[str, ...],
        directory: str | None,
        timeout: timedelta,
        cancel: threading.Event | None,
    ) -> str:
        done = self.run(argv, directory, timeout, cancel=cancel)
        if not done.ok:
            raise Unavailable(f"the {what} command {argv[0]!r} {self.words(done)}")
        if done.out_truncated:
            raise Unavailable(f"the {what} command {argv[0]!r} printed more than 1 MiB")
        return done.out

    def _read(self, what: str, argv: tuple[str, ...], form: TypeAdapter[T], printed: str, expected: str) -> T:
        try:
            return form.validate_json(printed)
        except ValidationError as error:
            problems = "; ".join(
                (".".join(map(str, one["loc"])) + ": " if one["loc"] else "") + one["msg"]
                for one in error.errors(include_url=False, include_context=False, include_input=False)[:5]
            )
            shown = self.masked(printed.strip())
            shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
            raise Unavailable(
                f"the {what} command {argv[0]!r} must print {expected}, as JSON: {problems}; it printed {shown!r}"
            ) from error


def snapshot_of(status: StatusDocument, at: datetime) -> Snapshot:
    """The status as the engine knows it."""
    return Snapshot(
        at=at,
        fingerprint=status.revision,
        name=status.revision or None,
        summary=status.summary,
        images={instance.service: instance.image for instance in status.instances if instance.image},
        instances=tuple(
            Instance.model_validate({**instance.model_dump(), "name": instance.name or instance.id})
            for instance in status.instances
        ),
        exits=tuple(sorted((Exit.model_validate(one.model_dump()) for one in status.exits), key=lambda one: one.at)),
        rollout=Rollout(phase=status.phase, reason=status.reason),
        pods=_pods(status),
    )


def _pods(status: StatusDocument) -> str:
    """A regular expression (RE2, without quotes and backslashes) of the instances' names, one-shots left out."""
    names = {one.name or one.id for one in status.instances if not one.one_shot}
    return "|".join(re.sub(r"[^\w:/@-]", ".", name) for name in sorted(names))
