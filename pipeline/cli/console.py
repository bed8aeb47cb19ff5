"""What the commands of ``gridgrade`` share: months as arguments, tables or JSON, and progress on stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.errors import MonthError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings


class Language(StrEnum):
    en = "en"
    zh = "zh"


def parse_month(text: str | RatingMonth) -> RatingMonth:
    """A month as an argument; anything else is a wrong call."""
    try:
        return text if isinstance(text, RatingMonth) else RatingMonth.parse(text)
    except MonthError as error:
        raise typer.BadParameter(str(error)) from None


Month = Annotated[RatingMonth, typer.Argument(parser=parse_month, metavar="YYYY-MM", help="rating month")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]


def settings_with_databases() -> Settings:
    """The settings of this process, with the embedded databases started where they name no others."""
    from pipeline.local.databases import with_databases

    return with_databases(Settings.load())


def inputs() -> tuple[Settings, Policy]:
    """The settings of this process and the policy they name."""
    settings = settings_with_databases()
    return settings, Policy.load(settings.policy)


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar on stderr with the time left; only on a terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("", total=None)

        def advance(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        yield advance


@contextmanager
def status() -> Iterator[Callable[[str], None]]:
    """Progress on stderr: one changing line on a terminal, separate lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        lines: list[str] = []

        def echo(line: str) -> None:
            if line not in lines[-1:]:
                lines.append(line)
                console.print(line, markup=False, soft_wrap=True)

        yield echo
    else:
        with console.status("") as status:
            yield status.update


def print_rows(as_json: bool, names: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Rows under these names, as a table or as JSON."""
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    table = Table(*names)
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    Console().print(table)


def print_json(document: Any) -> None:
    """Print JSON; values that JSON lacks (dates) become text."""
    typer.echo(json.dumps(document, indent=1, default=str))
