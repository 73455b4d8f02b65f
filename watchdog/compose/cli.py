"""The `docker compose` program: which one there is, its argument lists, its environment, and reading what it prints.

Nothing here changes a project: `act` builds its own argument lists on `Project.argv` and runs them itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from watchdog.compose.engine import host_of
from watchdog.errors import Refused, Unavailable
from watchdog.model.masking import mask, secrets_in
from watchdog.model.target import ComposeSpec
from watchdog.subprocesses import Completed, minimal_environment, run

READ_TIMEOUT = timedelta(seconds=30)
"""For one run that only reads files. It takes some 0.2 s; a busy machine in the middle of a deploy is slower."""
OUTPUT_LIMIT = 4 * 1024 * 1024
"""Bytes of a resolved config."""

_PROGRAMS = (("docker", "compose"), ("docker-compose",))
_OURS = frozenset({"PATH", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"})
"""Variables of ours that a deploy's may not replace: the program would not run, or would reach another engine."""


@lru_cache(maxsize=8)
def _found(path: str, config: str) -> tuple[tuple[str, ...], str] | None:  # noqa: ARG001 - they are the cache's key
    for program in _PROGRAMS:
        try:
            done = run((*program, "version", "--short"), timeout=READ_TIMEOUT, env=minimal_environment())
        except Unavailable:
            continue
        version = done.out.strip().lstrip("v")
        if done.ok and version[:1].isdigit() and int(version.partition(".")[0]) >= 2:
            return program, version
    return None


def program() -> tuple[tuple[str, ...], str]:
    """The words that start Compose v2 on this machine, and its version. Looked for once.

    Raises Refused when there is none.
    """
    found = _found(os.environ.get("PATH", ""), os.environ.get("DOCKER_CONFIG", os.environ.get("HOME", "")))
    if found is None:
        _found.cache_clear()
        raise Refused(
            "there is no `docker compose` (version 2 or newer) here, nor `docker-compose`; install the plugin"
        )
    return found


@dataclass(frozen=True)
class Project:
    """How a target's project is named to Compose."""

    spec: ComposeSpec
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Shell variables a file is resolved with. May hold secrets."""

    def argv(self, *words: str, file: str | None = None) -> tuple[str, ...]:
        """The argument list of one command on `file` (`-`: stdin), or on the target's own files with its env files
        and profiles. Raises Refused when there is no Compose."""
        spec = self.spec
        places = [("-f", file)] if file is not None else self._own_files()
        options = [word for place in places for word in place]
        return (*program()[0], "-p", spec.project, "--project-directory", spec.directory, *options, *words)

    def _own_files(self) -> list[tuple[str, str]]:
        spec, directory = self.spec, Path(self.spec.directory)
        return [
            *(("-f", str(directory / name)) for name in spec.files),
            *(("--env-file", str(directory / name)) for name in spec.env_files),
            *(("--profile", name) for name in spec.profiles),
        ]

    def environment(self) -> dict[str, str]:
        """What the program is given: what it needs to run, where the engine is, and the deploy's variables."""
        ours = minimal_environment()
        ours.pop("DOCKER_CONTEXT", None)  # DOCKER_HOST says it
        ours.setdefault("DOCKER_CONFIG", str(Path(ours.get("HOME", "/root")) / ".docker"))  # whatever HOME is solved to
        ours |= {"DOCKER_HOST": host_of(self.spec.docker_host), "COMPOSE_ANSI": "never"}
        return {**ours, **{name: value for name, value in self.variables.items() if name not in _OURS}}

    def read(self, *words: str, text: str | None = None) -> Completed:
        """Run a command that only reads, on the target's files or on a config's text.

        Raises Unavailable when it is too slow or prints too much, Refused when a file or Compose itself is missing.
        """
        gone = [place for option, place in self._own_files() if option != "--profile" and not Path(place).is_file()]
        if text is None and gone:  # Compose itself prints nothing then, and calls it a success
            raise Refused(f"{gone[0]} does not exist or can't be read")
        argv = self.argv(*words, file=None if text is None else "-")
        env = self.environment()
        done = run(argv, timeout=READ_TIMEOUT, env=env, limit=OUTPUT_LIMIT, stdin=text, cwd="/")
        if done.timed_out or done.truncated:
            why = done.outcome if done.timed_out else f"printed more than {OUTPUT_LIMIT} bytes"
            raise Unavailable(f"`docker compose {words[0]}` of project {self.spec.project} {why}")
        return done

    def resolve(self) -> dict[str, Any]:
        """The config with its variables filled in, `$` still written `$$`. Raises Refused, Unavailable."""
        return self._json("config", "--format", "json")

    def template(self) -> dict[str, Any]:
        """The config as written, variables not filled in, files merged. Raises Refused, Unavailable."""
        return self._json("config", "--no-interpolate", "--format", "json")

    def hashes(self, text: str | None = None) -> dict[str, str]:
        """Service → what its containers' config-hash label would be, of the files or of a config's text.

        Raises Refused, Unavailable.
        """
        done = self._answered(self.read("config", "--hash", "*", text=text))
        return dict(line.split() for line in done.out.splitlines() if len(line.split()) == 2)

    def _json(self, *words: str) -> dict[str, Any]:
        done = self._answered(self.read(*words))
        try:
            value = json.loads(done.out)
        except ValueError as error:
            raise Refused(f"`{' '.join(words)}` of project {self.spec.project} printed no JSON: {error}") from error
        if not isinstance(value, dict) or not isinstance(value.get("services"), dict):
            raise Refused(f"the config of project {self.spec.project} has no services")
        return value

    def _answered(self, done: Completed) -> Completed:
        if not done.ok:
            said = self.masked(done.last_words) or done.outcome
            raise Refused(f"the config of project {self.spec.project} does not resolve: {said}")
        return done

    def masked(self, text: str, also: Iterable[str] = ()) -> str:
        """What the program printed, without secrets."""
        return mask(text, [*secrets_in(self.variables), *also])
