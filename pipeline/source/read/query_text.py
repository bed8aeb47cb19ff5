"""The text of an extract query: read, without its comments, with its instants bound."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlglot
from sqlglot import TokenType, exp

from pipeline import resources
from pipeline.errors import SourceContractError
from pipeline.source.contract import SourceTable

FROM, BEFORE = "recorded_from", "recorded_before"
_COMMENT = re.compile(r"--[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
_IS_CODE = ("/*+", "/*!")  # a hint to the optimizer; what MySQL and MariaDB run, and no other database
_SQLGLOT = {"postgresql": "postgres", "mssql": "tsql", "mariadb": "mysql"}
_QUOTED = {TokenType.STRING, TokenType.IDENTIFIER, *(kind for kind in TokenType if kind.name.endswith("_STRING"))}


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


def read(table: SourceTable, backend: str) -> str | None:
    """The query of a table, without comments; None where an optional table has none, or an empty one.

    ``backend``: the database whose quotes and comments it has, as SQLAlchemy names it.

    Errors: SourceContractError for a required table without a query, bounds that are not used, unknown parameters.
    """
    path = _path(table)
    try:
        text = path.read_text(encoding="utf-8-sig") if path else ""
    except OSError as error:
        raise SourceContractError(f"{table.name}: {path} cannot be read: {error.strerror}; restore the query") from None
    except UnicodeDecodeError:
        raise SourceContractError(f"{table.name}: {path} is not UTF-8; save it in that encoding") from None
    text = without_comments(text, backend).strip().rstrip("; \t\r\n")
    if not text:
        if table.is_required:
            raise SourceContractError(f"{table.name}: {location(table)} holds no query, and the table is required")
        return None
    used = sa.text(escaped(text, backend))._bindparams
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


def without_comments(text: str, backend: str) -> str:
    """A parameter that a comment names would be bound as well, and a comment may hide the end of the query."""
    code = _IS_CODE if _dialect(backend) == "mysql" else _IS_CODE[:1]
    parts = []
    for gap, token, _ in _pieces(text, backend):
        kept = [comment for comment in _COMMENT.findall(gap) if comment.startswith(code)]
        parts += ["\n" if "\n" in gap else " " if gap else "", *(comment + " " for comment in kept), token]
    return "".join(parts)


def escaped(text: str, backend: str) -> str:
    """The text with the colons of its literals and quoted names escaped, as SQLAlchemy wants them."""
    pieces = _pieces(text, backend)
    return "".join(gap + (re.sub(r"(?<!\\):", r"\\:", token) if quoted else token) for gap, token, quoted in pieces)


def _pieces(text: str, backend: str) -> Iterator[tuple[str, str, bool]]:
    """Each token, the blanks and comments in front of it, and whether it is quoted; "" is the last token.

    Text that is no SQL of that database is one token: the database says what is wrong with it.
    """
    dialect = _dialect(backend)
    try:
        tokens = sqlglot.tokenize(text, read=dialect if sqlglot.Dialect.get(dialect) else None)
    except sqlglot.errors.SqlglotError:
        yield "", text, False
        return
    end = 0
    for token in tokens:
        yield text[end : token.start], text[token.start : token.end + 1], token.token_type in _QUOTED
        end = token.end + 1
    yield text[end:], "", False


def bound(text: str, parameters: dict[str, datetime], backend: str) -> sa.TextClause:
    """The text with those of the instants bound that it names, in UTC: naive where a database keeps no time zone."""
    statement = sa.text(escaped(text, backend))
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
        return sqlglot.parse_one(text, read=_dialect(engine.dialect.name))
    except (sqlglot.errors.SqlglotError, ValueError):
        return None


def written(tree: exp.Expr, engine: sa.Engine) -> str:
    """The tree as text, its parameters as they were written and not in the style of the dialect's driver."""
    for parameter in list(tree.find_all(exp.Placeholder)):
        parameter.replace(exp.var(f":{parameter.name}"))
    return tree.sql(_dialect(engine.dialect.name))


def location(table: SourceTable) -> str:
    """The file of a table's query, as a message names it."""
    path = _path(table)
    return resources.display(path) if path else f"sql/extract/{table.name}.sql"


def _dialect(backend: str) -> str:
    return _SQLGLOT.get(backend, backend)


def _path(table: SourceTable) -> Path | None:
    return resources.file(resources.EXTRACT, f"{table.name}.sql")
