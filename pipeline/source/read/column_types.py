"""An extract query with the contract's names, and with types that reach us whole."""

from typing import Any

import sqlalchemy as sa

from pipeline.errors import SourceContractError
from pipeline.source.contract import Column, SourceTable
from pipeline.source.read.query_text import location

# PostgreSQL's codes of its types
_REAL, _DOUBLE, _MONEY, _BITS = 700, 701, 790, (1560, 1562)
_DATE, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1114, 1184
_TEXTS = (25, 1042, 1043)
_MYSQL = (10, 12)  # DATE, DATETIME


def carried(
    table: SourceTable, text: str, columns: list[tuple[str, Any]], engine: sa.Engine
) -> tuple[str, tuple[str, ...]]:
    """The query that gives ``columns`` (names, the driver's codes of types) as one that gives what the contract reads.

    Also the names of the instants without a zone. Names are those of the contract. Of PostgreSQL's types, money and
    binary fractions become exact decimals, bits become yes and no, instants without a zone become instants of the
    session's zone, instants in the place of a date become a date of that zone, an optional date at infinity becomes
    none, and what is no text in the place of text becomes one.
    Errors: SourceContractError for bits that are not yes or no.
    """
    quote = engine.dialect.identifier_preparer.quote
    wanted = {column.name: column for column in table.columns}
    listed, zoneless, is_plain = [], [], True
    for name, code in columns:
        lower, quoted = name.lower(), quote(name)
        if lower not in wanted:
            continue
        value = quoted
        if wanted[lower].sql_type == "TIMESTAMPTZ" and _is_zoneless(engine.dialect.name, code):
            zoneless.append(lower)
        if engine.dialect.name == "postgresql":
            value = _postgresql(table, wanted[lower], quoted, code)
        is_plain = is_plain and value == quoted and name == lower
        listed.append(f"{value} as {quote(lower)}")
    return (text if is_plain else f"select {', '.join(listed)} from ({text}\n) given"), tuple(zoneless)


def _is_zoneless(dialect: str, code: Any) -> bool:
    """Whether a type is a local time. SQLite has no types, and says nothing."""
    if dialect == "oracle":
        return getattr(code, "name", "") in ("DB_TYPE_DATE", "DB_TYPE_TIMESTAMP")
    return code in {"postgresql": (_TIMESTAMP, _DATE), "mysql": _MYSQL, "mariadb": _MYSQL}.get(dialect, ())


def _postgresql(table: SourceTable, column: Column, quoted: str, code: int) -> str:
    kind = column.sql_type
    if code in _BITS and kind != "BOOLEAN":
        raise SourceContractError(
            f"{table.name}.{column.name} is of type bit, which is no {kind}: cast it in {location(table)}"
        )
    value = quoted
    if code in _BITS:
        value = f"(position('1' in cast({quoted} as text)) > 0)"
    elif kind.startswith("DECIMAL") and code == _REAL:  # straight to numeric it would keep six digits of seven
        value = f"cast(cast({quoted} as text) as numeric)"
    elif kind.startswith("DECIMAL") and code in (_DOUBLE, _MONEY):
        value = f"cast({quoted} as numeric)"
    elif kind == "VARCHAR" and code not in _TEXTS:
        value = f"cast({quoted} as text)"
    elif kind == "TIMESTAMPTZ" and code in (_TIMESTAMP, _DATE):
        value = f"cast({quoted} as timestamptz)"
    elif kind == "DATE" and code in (_TIMESTAMP, _TIMESTAMPTZ):
        value = f"cast({quoted} as date)"
    if kind in ("DATE", "TIMESTAMPTZ") and code in (_DATE, _TIMESTAMP, _TIMESTAMPTZ) and not column.is_required:
        value = f"nullif({value}, 'infinity')"
    return value
