"""The text of an extract query: read, without its comments, with its instants bound."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlglot
from sqlglot import exp

from pipeline import resources
from pipeline.errors import SourceContractError
from pipeline.source.contract import SourceTable

FROM, BEFORE = "recorded_from", "recorded_before"
_QUOTED = r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]\n]*\]"
_COMMENT = r"--[^\n]*|/\*(?!\+).*?\*/"  # a hint to the optimizer is none
_PIECE = re.compile(f"(?P<quoted>{_QUOTED})|(?P<comment>{_COMMENT})", re.DOTALL)
_SQLGLOT = {"postgresql": "postgres", "mssql": "tsql", "mariadb": "mysql"}


@dataclass(frozen=True)
class ExtractQuery:
    """An extract query that the billing system accepts; optional columns it has not are left out of it.

    ``summable``: the money columns whose totals the source can compute, those it keeps as numbers.
    ``zoneless``: the instants that the source keeps without a time zone, as far as it says so.
    """

    table: SourceTable
    text: str
    columns: tuple[str, ...] = ()
    summable: tuple[str, ...] = ()
    zoneless: tuple[str, ...] = ()

    @property
    def without_total(self) -> tuple[str, ...]:
        """The money columns whose totals the source cannot compute."""
        return tuple(name for name in self.table.money_columns if name in self.columns and name not in self.summable)


def read(table: SourceTable) -> str | None:
    """The query of a table; None where an optional table has none, or an empty one.

    Errors: SourceContractError for a required table without a query, bounds that are not used, unknown parameters.
    """
    path = _path(table)
    try:
        text = path.read_text(encoding="utf-8-sig") if path else ""
    except OSError as error:
        raise SourceContractError(f"{table.name}: {path} cannot be read: {error.strerror}; restore the query") from None
    except UnicodeDecodeError:
        raise SourceContractError(f"{table.name}: {path} is not UTF-8; save it in that encoding") from None
    text = without_comments(text).strip().rstrip("; \t\r\n")
    if not text:
        if table.is_required:
            raise SourceContractError(f"{table.name}: {location(table)} holds no query, and the table is required")
        return None
    used = sa.text(escaped(text))._bindparams
    if "recorded_at" in table.column_names:
        needed = (BEFORE,) if table.snapshot else (FROM, BEFORE)
        if missing := [name for name in needed if name not in used]:
            raise SourceContractError(
                f"{table.name}: {location(table)} does not use :{missing[0]}; every row would be in every month"
            )
    if unknown := [name for name in used if name not in (FROM, BEFORE)]:
        raise SourceContractError(
            f"{table.name}: {location(table)} uses :{unknown[0]}, and there is no such parameter: write the value "
            "itself"
        )
    return text


def without_comments(text: str) -> str:
    """A parameter that a comment names would be bound as well, and a comment may hide the end of the query."""
    return _PIECE.sub(lambda piece: " " if piece["comment"] is not None else piece[0], text)


def escaped(text: str) -> str:
    """The text with the colons of its literals and quoted names escaped, as SQLAlchemy wants them."""
    return _PIECE.sub(lambda piece: re.sub(r"(?<!\\):", r"\\:", piece[0]), text)


def bound(text: str, parameters: dict[str, datetime], backend: str) -> sa.TextClause:
    """The text with those of the instants bound that it names, in UTC: naive where a database keeps no time zone."""
    statement = sa.text(escaped(text))
    named = {name: parameters[name] for name in statement._bindparams if name in parameters}
    kind: Any = sa.DateTime(timezone=True)
    values: dict[str, Any] = dict(named)
    if backend == "sqlite":
        kind, values = sa.String(), {name: _shortest(instant) for name, instant in named.items()}
    elif backend != "postgresql":
        values = {name: instant.astimezone(UTC).replace(tzinfo=None) for name, instant in named.items()}
    return statement.bindparams(*(sa.bindparam(name, value, kind) for name, value in values.items()))


def _shortest(instant: datetime) -> str:
    """SQLite compares texts: the shortest one that stands for an instant comes before all others that do."""
    text = instant.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    return text.removesuffix(":00").removesuffix(" 00:00")


def parsed(text: str, engine: sa.Engine) -> exp.Expr | None:
    """The text as a tree; None where sqlglot cannot read it."""
    try:
        return sqlglot.parse_one(text, read=_dialect(engine))
    except (sqlglot.errors.SqlglotError, ValueError):
        return None


def written(tree: exp.Expr, engine: sa.Engine) -> str:
    """The tree as text, its parameters as they were written and not in the style of the dialect's driver."""
    for parameter in list(tree.find_all(exp.Placeholder)):
        parameter.replace(exp.var(f":{parameter.name}"))
    return tree.sql(_dialect(engine))


def location(table: SourceTable) -> str:
    """The file of a table's query, as a message names it."""
    path = _path(table)
    return resources.display(path) if path else f"sql/extract/{table.name}.sql"


def _dialect(engine: sa.Engine) -> str:
    return _SQLGLOT.get(engine.dialect.name, engine.dialect.name)


def _path(table: SourceTable) -> Path | None:
    return resources.file(resources.EXTRACT, f"{table.name}.sql")
