"""``gridgrade source``: fill a source database, from files or with the sample utility."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.cli.console import AsJson, parse_month, print_rows, progress, settings_with_databases, status
from pipeline.month import RatingMonth

app = typer.Typer(help="Fill a source database: for trying, and for tests.", no_args_is_help=True)


@app.command("load")
def source_load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="holds <table>.parquet or <table>.csv files")],
    as_json: AsJson = False,
) -> None:
    """Replace what the source database holds by the tables of a folder."""
    from pipeline.source.load import load_folder

    with status() as echo:
        echo(f"loading {folder}")
        loaded = load_folder(folder, settings_with_databases())
    for name in loaded["ignored"]:
        Console(stderr=True).print(f"ignored, not in the source contract: {name}")
    print_rows(as_json, ("table", "rows"), loaded["rows"].items())


@app.command("sample")
def source_sample(
    customers: Annotated[int, typer.Option(min=1, help="how many customers")] = 2000,
    months: Annotated[int, typer.Option(min=1, help="how many months of history")] = 36,
    last: Annotated[
        RatingMonth, typer.Option(parser=parse_month, metavar="YYYY-MM", help="the last of them")
    ] = "2026-10",  # type: ignore[assignment]  # parsed like an argument
    seed: Annotated[int, typer.Option(help="another seed, another utility")] = 7,
    dirty: Annotated[float, typer.Option(min=0, max=0.5, help="share of rows to spoil")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Replace what the source database holds by a synthetic utility."""
    from pipeline.sample import fill_source

    with progress() as advance:
        rows = fill_source(
            settings_with_databases(),
            customers,
            months,
            last=last,
            seed=seed,
            dirty=dirty,
            progress=lambda month, done, total: advance(done, total, str(month)),
        )
    print_rows(as_json, ("table", "rows"), rows.items())
