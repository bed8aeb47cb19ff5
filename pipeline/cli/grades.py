"""Published results: ``grades``, ``labels`` and ``explain``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import AsJson, Language, Month, inputs, print_json, print_rows, settings_with_databases
from pipeline.cli.options import Basis, BasisOption

app = typer.Typer()


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


@app.command()
def grades(
    month: Month,
    output: Annotated[
        Format | None,
        typer.Option("--format", help="table shows the first rows; csv and json are whole (default: as --out ends)"),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="F", help="write to this file: F.csv, F.json")] = None,
    revision: Annotated[int | None, typer.Option(metavar="N", help="one that was replaced since")] = None,
    as_json: AsJson = False,
) -> None:
    """The published grades of a month."""
    from pipeline.cli.show.grades import show_grades
    from pipeline.publishing.export_grades import export_grades

    settings = settings_with_databases()
    by_suffix = {f".{each.value}": each for each in (Format.csv, Format.json)}
    ending = by_suffix.get(out.suffix.lower()) if out else None
    wanted = Format.json if as_json else output or ending or Format.table
    if wanted is Format.table:
        show_grades(settings, month, out, revision=revision)
    else:
        export_grades(settings, month, wanted.value, out, revision=revision)


@app.command()
def labels(month: Month, basis: BasisOption = Basis.as_known_then, as_json: AsJson = False) -> None:
    """The cohorts that a model trained in that month may learn from, with the outcomes of their customers."""
    from pipeline.models import cohorts

    settings, policy = inputs()
    rows = cohorts.outcomes(month, settings, policy, basis=basis)
    names = ("cohort", "family", *cohorts.OUTCOMES)
    print_rows(as_json, names, [[row[name] for name in names] for row in rows])


@app.command()
def explain(
    month: Month,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="id of a rated customer")],
    lang: Annotated[Language, typer.Option(help="language of the texts")] = Language.en,
    as_json: AsJson = False,
) -> None:
    """Why a customer has its published grade: points that add up to the score, reasons, what the next grade needs."""
    from pipeline.cli.show.explanation import show
    from pipeline.grading.explain.explanation import explain as explained
    from pipeline.warehouse import migrations

    settings, policy = inputs()
    migrations.migrate(settings)
    explanation = explained(settings, policy, month, customer, lang.value)
    if as_json:
        print_json(explanation.as_json())
    else:
        show(explanation)
