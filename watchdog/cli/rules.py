"""The commands for people who write rules and configs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from watchdog.cli.common import NO, Output, OutputOption, out
from watchdog.rehearse import CaseResult, rehearse
from watchdog.settings import schema as config_schema


def try_rules(
    files: Annotated[list[Path], typer.Argument(help="Files in the form docs/rules.md describes.")],
    output: OutputOption = Output.text,
) -> None:
    """Try rules on written series; exit 1 when something differed."""
    results = rehearse(files)
    if output is Output.json:
        fields = [
            {"file": r.file, "line": r.line, "name": r.name, "rule": r.rule, "ok": r.ok, "differences": r.differences}
            for r in results
        ]
        typer.echo(json.dumps({"tests": fields}, indent=2))
    else:
        for result in results:
            _print(result)
        failed = sum(not r.ok for r in results)
        out.print(f"{len(results) - failed} passed, {failed} failed")
    if not all(r.ok for r in results):
        raise typer.Exit(NO)


def _print(result: CaseResult) -> None:
    line = Text("ok    " if result.ok else "FAIL  ", style="green" if result.ok else "bold red")
    out.print(line.append(f"{result.rule}: {result.name} ({result.file}:{result.line})", style="default"))
    for difference in result.differences:
        out.print(Text(f"      {difference}"))


def schema() -> None:
    """The JSON Schema of the config."""
    typer.echo(json.dumps(config_schema(), indent=2))
