"""The commands that reach the outside: the daemon, the check before it, and the demo."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from watchdog.checks import Finding
from watchdog.cli.common import DEFAULT_CONFIG, NO, ConfigOption, Output, OutputOption, out, settings_of


def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """The daemon."""
    from watchdog.app import build  # noqa: PLC0415 -- other commands start faster without
    from watchdog.daemon import Daemon  # noqa: PLC0415
    from watchdog.logs import configure  # noqa: PLC0415

    settings = settings_of(config)
    configure(settings.log.level, settings.log.format)
    Daemon(build(settings)).run()


def check(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.text) -> None:
    """Reach everything the config names."""
    from watchdog.app import build  # noqa: PLC0415
    from watchdog.checks import findings  # noqa: PLC0415

    settings = settings_of(config)
    app = build(settings)
    found: list[Finding] = []
    try:
        for finding in findings(app):
            found.append(finding)
            if output is Output.text:
                _print(finding)
    finally:
        app.close()
    bad = [f for f in found if f.missing]
    if output is Output.json:
        fields = [{"what": f.what, "ok": not f.missing, "missing": f.missing, "notes": f.notes} for f in found]
        typer.echo(json.dumps({"ok": not bad, "checks": fields}, indent=2))
    elif bad:
        out.print(Text(f"{len(bad)} of {len(found)} are missing or wrong", style="bold red"))
    else:
        out.print(Text(f"all {len(found)} are well", style="bold green"))
    if bad:
        raise typer.Exit(NO)


def _print(finding: Finding) -> None:
    mark = Text("missing  " if finding.missing else "ok       ", style="bold red" if finding.missing else "green")
    out.print(mark.append(finding.what, style="default"), soft_wrap=True)
    for line in finding.missing:
        out.print(Text(f"         {line}"), soft_wrap=True)
    for line in finding.notes:
        out.print(Text(f"         {line}", style="dim"), soft_wrap=True)


class FaultName(StrEnum):
    """What the demo's second version does wrong."""

    latency = "latency"
    errors = "errors"
    crash = "crash"
    memory = "memory"
    cpu = "cpu"
    health = "health"
    none = "none"


class DemoPlatform(StrEnum):
    """Where the demo's service runs."""

    command = "command"
    compose = "compose"


def demo(
    fault: Annotated[FaultName, typer.Option("--fault", help="What the deploy breaks; none: it must pass.")] = (
        FaultName.errors
    ),
    platform: Annotated[DemoPlatform, typer.Option("--platform", help="compose needs a Docker engine.")] = (
        DemoPlatform.command
    ),
) -> None:
    """Guard a small service, break it on purpose, and watch it being rolled back."""
    from watchdog.demo import run as run_demo  # noqa: PLC0415

    code = run_demo(fault=fault.value, platform=platform.value, console=out)
    if code:
        raise typer.Exit(code)
