"""``report``: the monthly report as a page."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import Language, Month, progress, say, settings_with_databases

app = typer.Typer()


@app.command()
def report(
    month: Month,
    out: Annotated[
        Path | None, typer.Option(metavar="F.html", help="write to this file, not to the home's reports")
    ] = None,
    lang: Annotated[Language, typer.Option(help="language of the page")] = Language.en,
) -> None:
    """The monthly report: one HTML page that needs nothing else, with every figure from a view of the warehouse."""
    from pipeline.pages.files import write
    from pipeline.report import page
    from pipeline.report.report import file_name, read
    from pipeline.warehouse import migrations

    settings = settings_with_databases()
    migrations.migrate(settings)
    path = out or settings.reports_path / file_name(month, lang.value)
    with progress(lines=True) as advance:
        advance(0, 2, f"reading the figures of {month}")
        figures = read(settings, month)
        advance(1, 2, "drawing the page")
        write(page.html(figures, lang.value), path)
    say(path)
