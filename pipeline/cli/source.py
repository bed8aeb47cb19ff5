"""``gridgrade source``: fill a source database, from files or with the sample utility."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import (
    AsJson,
    parse_month,
    print_json,
    print_rows,
    progress,
    say,
    settings_with_databases,
)
from pipeline.errors import SourceContractError
from pipeline.month import RatingMonth
from pipeline.policy import Policy

app = typer.Typer(help="Fill a source database: for trying, and for tests.", no_args_is_help=True)


@app.command("load")
def source_load(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="holds <table>.csv, .csv.gz, .parquet or .xlsx files")],
    delimiter: Annotated[str | None, typer.Option(help="of CSV files: one character, or tab")] = None,
    encoding: Annotated[str | None, typer.Option(help="of CSV files without a byte order mark; UTF-8 if not")] = None,
    decimal: Annotated[str | None, typer.Option(help="the decimal separator; the other one may part thousands")] = None,
    date_format: Annotated[str | None, typer.Option(help="of dates that are not YYYY-MM-DD: %d/%m/%Y")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="read all, say what is wrong, load nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace what the source database holds by the tables of a folder.

    Options hold for all files; a load.yaml in the folder may state them for each table.
    """
    from pipeline.source.dialect import stated_options
    from pipeline.source.load import load_folder

    settings = settings_with_databases()
    policy = Policy.load(settings.policy)
    stated = stated_options(delimiter=delimiter, encoding=encoding, decimal=decimal, date_format=date_format)
    with progress(lines=True) as advance:
        loaded = load_folder(
            folder,
            settings,
            stated=stated,
            time_zone=policy.timezone,
            dry_run=dry_run,
            advance=advance,
        )
    if as_json:
        print_json(loaded)
    else:
        for name in loaded["ignored"]:
            say(f"ignored: {name}", stderr=True)
        files = [(file["table"], file["file"], file["rows"], file["read_as"]) for file in loaded["files"]]
        print_rows(False, ("table", "file", "rows", "read as"), files)
        for refused in loaded.get("refused", ()):
            others = f" (and {refused['count'] - 1:,} more)" if refused["count"] > 1 else ""
            say(f"{refused['message']}{others}")
    if loaded.get("refused"):
        raise SourceContractError(f"{folder}: nothing would be loaded until what is named above is corrected")


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
