"""What the commands of ``gridgrade`` share: months as arguments, tables, JSON and CSV, and progress on stderr."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from pipeline.cycle import Advance, unseen
from pipeline.errors import ConfigError, MonthError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.text import spreadsheet_safe, visible

_SPEED_SECONDS = 3600  # the time left follows from the pace so far: steps are few, and some take long
# Columns that are copied into the next command: never cut and never wrapped.
_IDS = frozenset({"id", "customer", "customer_id", "version", "month"})
_PIPED_WIDTH = 10_000


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
FirstMonth = Annotated[
    RatingMonth | None, typer.Argument(parser=parse_month, metavar="FROM", help="YYYY-MM", show_default=False)
]
LastMonth = Annotated[
    RatingMonth | None, typer.Argument(parser=parse_month, metavar="TO", help="YYYY-MM, included", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]


def require_chronological(first: RatingMonth | None, last: RatingMonth | None) -> None:
    """A wrong call unless FROM, where both are given, is not after TO."""
    if first and last and last < first:
        raise typer.BadParameter(f"{first} is after {last}: give the oldest month first")


def settings_with_databases() -> Settings:
    """The settings of this process, with the embedded databases started where they name no others."""
    from pipeline.local.databases import with_databases

    return with_databases(Settings.load())


def inputs() -> tuple[Settings, Policy]:
    """The settings of this process and the policy they name."""
    settings = settings_with_databases()
    return settings, Policy.load(settings.policy)


def console(*, stderr: bool = False, file: TextIO | None = None) -> Console:
    """A console that takes text as it is: nothing in it is markup, an emoji's name or worth a colour.

    NO_COLOR is heeded. Lines are as long as they are: a terminal wraps them, a pipe gets them whole.
    """
    made = Console(stderr=stderr, file=file, markup=False, emoji=False, highlight=False, soft_wrap=True)
    if not made.is_terminal:
        made.width = _PIPED_WIDTH
    return made


def say(*lines: object, stderr: bool = False) -> None:
    """Print lines of text, their control characters visible."""
    target = console(stderr=stderr)
    for line in lines:
        target.print(Text(visible(line)))


def write_text(text: str, out: Path | None) -> None:
    """Write to a file, or to standard output where there is none. ConfigError where the file cannot be written."""
    if out is None:
        typer.echo(text, nl=False)
        return
    with writing(out) as file:
        file.write(text)


@contextmanager
def writing(out: Path) -> Iterator[TextIO]:
    """A text file to write, its line ends as they are given. ConfigError where it cannot be written."""
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}; choose another file with --out") from None


@contextmanager
def progress(*, lines: bool = False) -> Iterator[Advance]:
    """A progress bar on stderr with the time left. Elsewhere than on a terminal it is nothing, or ``lines``: a line for
    whatever comes under way."""
    if not sys.stderr.isatty():
        yield _line_by_line() if lines else unseen
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        speed_estimate_period=_SPEED_SECONDS,
    )
    with bar:
        task = bar.add_task("", total=None)

        def advance(done: float, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=visible(what))

        yield advance


def _line_by_line() -> Advance:
    """A line for whatever comes under way."""
    said = ""

    def advance(done: float, total: int, what: str) -> None:
        nonlocal said
        if what != said:
            say(what, stderr=True)
        said = what

    return advance


def print_rows(as_json: bool, names: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Rows under these names, as a table or as JSON."""
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        print_table(names, rows)


def print_table(
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str | None = None,
    caption: str | None = None,
    styles: Mapping[str, str] | None = None,
    last_rows: int = 0,
    to: Console | None = None,
) -> None:
    """A table in which no word is cut: on a terminal that is too narrow it is wider than the terminal.

    ``names``: headings; empty ones make a table without a heading. ``rows``: cells; numbers stand to the right.
    ``last_rows``: how many of them come after a line. ``styles``: the style of a cell by its text. ``to``: standard
    output if not said.
    """
    cells = [list(row) for row in rows]
    table = Table(
        box=SIMPLE,
        show_header=any(names),
        title=title and Text(visible(title)),
        caption=caption and Text(visible(caption)),
        title_justify="left",
        caption_justify="left",
    )
    for position, name in enumerate(names):
        is_number = any(_is_number(row[position]) for row in cells)
        table.add_column(
            Text(visible(name)), no_wrap=name in _IDS, overflow="fold", justify="right" if is_number else "left"
        )
    for number, row in enumerate(cells):
        if number and number == len(cells) - last_rows:
            table.add_section()
        shown = [_cell(value) for value in row]
        table.add_row(*(Text(text, style=(styles or {}).get(text, "")) for text in shown))
    target = to or console()
    if target.is_terminal:
        target.width = max(
            target.width, Measurement.get(target, target.options.update(max_width=_PIPED_WIDTH), table).minimum
        )
    target.print(table)


def print_json(document: Any) -> None:
    """Print JSON; values that JSON lacks (dates) become text."""
    typer.echo(json.dumps(document, indent=1, default=str))


def write_csv(names: Sequence[str], rows: Iterable[Sequence[Any]], out: Path) -> None:
    """Write rows as CSV, with text that a spreadsheet would take for a formula made harmless."""
    with writing(out) as file:
        writer = csv.writer(file)
        writer.writerow(map(spreadsheet_safe, names))
        writer.writerows([spreadsheet_safe(v) if isinstance(v, str) else v for v in row] for row in rows)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else visible(value)
