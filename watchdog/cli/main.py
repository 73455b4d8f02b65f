"""Puts the commands together, and turns every error into one message and an exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from watchdog import __version__
from watchdog.cli import act, backtest, rules, serve, show
from watchdog.cli.common import EXIT_CODES, INTERRUPTED, err
from watchdog.errors import WatchdogError

HELP = """Watches every deploy, rolls back the bad ones by itself, proves that it helped and says why.

Exit codes: 0 done; 1 the answer is no; 2 wrong usage or config; 3 something outside did not answer; 4 unknown name, or
refused; 130 interrupted."""

app = typer.Typer(
    help=HELP, no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None
)

app.command("run", help="Guard the targets of the config until stopped: the daemon.")(serve.run)
app.command("check", help="Validate the config and reach everything it names; say what is missing.")(serve.check)
app.command("demo", help="Guard a small service, break it on purpose, and watch it being rolled back.")(serve.demo)
app.command("status", help="What is true of each target now.")(show.status)
app.command("history", help="The revisions of a target, and which are known good.")(show.history)
app.command("incidents", help="What went wrong, newest first.")(show.incidents)
app.command("explain", help="Everything about one incident, from the store alone.")(show.explain)
app.command("rollback", help="Roll back now: the same guard, evidence, proof and incident as an automatic one.")(
    act.rollback
)
app.command("approve", help="Call a revision known good: the held one, the running one, or the one named.")(act.approve)
app.command("pause", help="No automatic rollbacks of a target for a while.")(act.pause)
app.command("resume", help="End a pause.")(act.resume)
app.command("test-rules", help="Try rules on series written in files.")(rules.try_rules)
app.command("backtest", help="Judge past deploys, and moments without one, by what Prometheus remembers.")(
    backtest.backtest
)
app.command("schema", help="The JSON Schema of the config, for editors.")(rules.schema)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deploy-watchdog {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run one command; the console script's entry."""
    try:
        app()
    except WatchdogError as error:
        err.print(str(error), style="red", markup=False)
        sys.exit(next(code for kind, code in EXIT_CODES if isinstance(error, kind)))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
