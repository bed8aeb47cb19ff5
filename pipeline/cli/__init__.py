"""``gridgrade``: the monthly cycle without Airflow, one month at a time, and what one needs around it.

Exit code 0: done. 1: refused or failed, with one line on stderr. 2: the call itself is wrong.
"""

import sys

import typer
from rich.console import Console

from pipeline.cli import (
    actions,
    administration,
    grades,
    local,
    models,
    overrides,
    policy,
    rate,
    report,
    source,
)
from pipeline.errors import GridgradeError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for group in (local, rate, grades, report, administration):
    app.add_typer(group.app)
app.add_typer(source.app, name="source")
app.add_typer(actions.actions, name="actions")
app.add_typer(actions.rebates, name="rebates")
app.add_typer(overrides.app, name="override")
app.add_typer(models.app, name="models")
app.add_typer(policy.app, name="policy")


def main() -> None:
    """The command line; a refusal is one line, never a traceback."""
    try:
        app()
    except GridgradeError as error:
        Console(stderr=True).print(f"gridgrade: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
