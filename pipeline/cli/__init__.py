"""``gridgrade``: the monthly cycle without Airflow, one month at a time, and what one needs around it.

Exit code 0: done. 1: refused or failed, with one line on stderr. 2: the call itself is wrong.
"""

import os
import sys
import traceback
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer

from pipeline import resources
from pipeline.cli import (
    actions,
    administration,
    customers,
    grades,
    local,
    models,
    policy,
    rate,
    report,
    source,
)
from pipeline.cli.console import say
from pipeline.errors import GridgradeError, is_out_of_space

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (local, rate, grades, report, administration):
    app.add_typer(group.app)
app.add_typer(source.app, name="source")
app.add_typer(actions.actions, name="actions")
app.add_typer(actions.rebates, name="rebates")
app.add_typer(customers.override, name="override")
app.add_typer(customers.customer, name="customer")
app.add_typer(models.app, name="models")
app.add_typer(policy.app, name="policy")

_INTERRUPTED = 130


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"gridgrade {installed('gridgrade')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Options before a command."""


def _describe(error: Exception) -> str:
    """An error that is none of ours, in a line."""
    if is_out_of_space(error):
        return "no space is left on the disk: make room and run again"
    try:
        where = f"its traceback is in {_keep_traceback()}"
    except OSError as fault:
        where = f"its traceback could not be kept ({fault.strerror}): {type(error).__name__}"
    return f"an error that was not foreseen, please report it: {where}"


def _keep_traceback() -> Path:
    """The traceback that is being handled, in a file of the home that only its owner can read."""
    from pipeline import private

    home = Path(os.environ.get("GRIDGRADE_HOME") or resources.default_home()).expanduser()
    path = home / "errors" / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.txt"
    private.write_file(path, traceback.format_exc())
    return path


def main() -> None:
    """The command line; a refusal is one line, never a traceback."""
    try:
        app()
    except GridgradeError as error:
        say(f"gridgrade: {error}", stderr=True)
        sys.exit(1)
    except Exception as error:
        say(f"gridgrade: {_describe(error)}", stderr=True)
        sys.exit(1)
    except SystemExit as exited:
        if exited.code == _INTERRUPTED:
            say("gridgrade: interrupted", stderr=True)
        raise
