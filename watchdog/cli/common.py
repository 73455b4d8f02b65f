"""What the commands share: their options, their output, and the exit codes.

Exit codes: 0 done; 1 the answer is no (something is missing, a test differs, a rollback did not recover); 2 wrong usage
or config; 3 something outside did not answer; 4 an unknown name, or refused; 130 interrupted.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console, RenderableType

from watchdog.errors import BadConfig, Conflict, Refused, StoreDamaged, Unavailable, UnknownName, WatchdogError
from watchdog.settings import Settings, load
from watchdog.store import open_store
from watchdog.store.base import Store

NO, USAGE, UNAVAILABLE, REFUSED, INTERRUPTED = 1, 2, 3, 4, 130

EXIT_CODES: tuple[tuple[type[WatchdogError], int], ...] = (
    (BadConfig, USAGE),
    (Unavailable, UNAVAILABLE),
    (StoreDamaged, UNAVAILABLE),
    (UnknownName, REFUSED),
    (Refused, REFUSED),
    (Conflict, REFUSED),
    (WatchdogError, REFUSED),
)


class Output(StrEnum):
    """For people, or for machines."""

    text = "text"
    json = "json"


ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="WATCHDOG_CONFIG", help="The config file.", show_default=True)
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Tables for people, or JSON for machines.")]
DEFAULT_CONFIG = Path("watchdog.yaml")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def settings_of(config: Path, *, secrets: bool = True) -> Settings:
    """The config. `secrets=False`: a person without the daemon's secrets can still look and act. Raises BadConfig."""
    return load(config, os.environ, secrets=secrets)


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The state, for reading. Raises StoreUnavailable, StoreDamaged."""
    store = open_store(settings.store)
    try:
        yield store
    finally:
        store.close()


def show(view: BaseModel, text: RenderableType, output: Output) -> None:
    """The view, in one of its two forms."""
    if output is Output.json:
        typer.echo(view.model_dump_json(indent=2))
    else:
        out.print(text)


def whoami() -> str:
    """Who is asking, as the records will name them."""
    return os.environ.get("SUDO_USER") or getpass.getuser()
