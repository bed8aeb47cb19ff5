"""A utility's own folder: ``init``."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="an empty folder, or one to be made")],
    origin: Annotated[
        str | None, typer.Option("--from", metavar="ccb|sap-isu|files", help="the billing system to start from")
    ] = None,
) -> None:
    """Make a utility's own folder: policy, queries and letters that an upgrade leaves alone."""
    from pipeline.maintenance.new_project import create

    for name in create(folder, origin):
        typer.echo(folder / name)
    typer.echo(f"next: export GRIDGRADE_PROJECT={folder.absolute()}, set GRIDGRADE_SOURCE_URL, gridgrade doctor")
