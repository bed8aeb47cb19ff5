"""The source contract: what each table of the billing system holds and must hold, read from sql/contract/*.sql.

The DDL is the one place where columns, types, keys, references and checks of the source stand. A billing system need
not enforce any of it: extraction asks for these columns, and validation holds every row to these checks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType

import sqlglot
from sqlglot import exp

from pipeline.errors import SourceContractError
from pipeline.resources import SQL

DDL = SQL / "contract"
_FIRST = ("customers", "bills", "payments")
_MONEY = "DECIMAL(18, 2)"
COUNTED_ONLY = frozenset({"payments_bill_exists"})
"""References that need not lead anywhere: such rows are counted and used, not refused. Money for an unknown bill is a
credit of the customer."""


@dataclass(frozen=True)
class Column:
    """A column; ``sql_type`` is DuckDB's name of its type, for example ``DECIMAL(18, 2)`` or ``TIMESTAMPTZ``.

    One whose comment begins with "personal" is never copied to the lake.
    """

    name: str
    sql_type: str
    is_required: bool
    meaning: str = ""

    @property
    def is_personal(self) -> bool:
        return self.meaning.startswith("personal")


@dataclass(frozen=True)
class InSet:
    """The column holds one of these values."""

    name: str
    column: str
    values: tuple[str, ...]
    sql: str


@dataclass(frozen=True)
class Between:
    """The column lies between two numbers, both allowed (``strict_low``: above the lower one). None: no bound."""

    name: str
    column: str
    low: Decimal | None
    high: Decimal | None
    sql: str
    strict_low: bool = False


@dataclass(frozen=True)
class NotBefore:
    """The column ``later`` is not before the column ``earlier``, as dates where one of them is a date."""

    name: str
    later: str
    earlier: str
    sql: str


@dataclass(frozen=True)
class FirstOfMonth:
    """The column is the first day of a month."""

    name: str
    column: str
    sql: str


@dataclass(frozen=True)
class Expression:
    """Any other check."""

    name: str
    sql: str


# Every check has ``sql``, a DuckDB condition over the row. As in any database, a row fails where it is false and
# passes where it is null.
Check = InSet | Between | NotBefore | FirstOfMonth | Expression


@dataclass(frozen=True)
class Reference:
    """A value of ``column``, where there is one, stands in ``referred_column`` of ``table``."""

    name: str
    column: str
    table: str
    referred_column: str


@dataclass(frozen=True)
class SourceTable:
    """One table of the contract; ``meaning`` is what one row is."""

    name: str
    meaning: str
    is_required: bool
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    checks: tuple[Check, ...]
    references: tuple[Reference, ...]

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def lake_columns(self) -> tuple[Column, ...]:
        """The columns that extraction copies."""
        return tuple(column for column in self.columns if not column.is_personal)

    @cached_property
    def required_columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.is_required)

    @cached_property
    def money_columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.sql_type == _MONEY)

    @property
    def recorded_column(self) -> str:
        """The instant at which the source came to know the row."""
        return "recorded_at" if "recorded_at" in self.column_names else "closed_at"

    @property
    def snapshot(self) -> bool:
        """True where a month reads the latest row of each key instead of every fact recorded in it."""
        return self.name == "customers"

    def missing_columns(self, present: Iterable[str]) -> tuple[str, ...]:
        """The required columns that are not among ``present``."""
        return tuple(name for name in self.required_columns if name not in set(present))


@cache
def contract() -> MappingProxyType[str, SourceTable]:
    """Every source table by name; customers, bills and payments first, then by name."""
    names = sorted(path.stem for path in DDL.glob("*.sql"))
    order = [*_FIRST, *(name for name in names if name not in _FIRST)]
    return MappingProxyType({name: _read(DDL / f"{name}.sql") for name in order})


def table(name: str) -> SourceTable:
    """The table of that name; a name outside the contract is a SourceContractError."""
    try:
        return contract()[name]
    except KeyError:
        raise SourceContractError(f"{name} is not a source table: they are {', '.join(contract())}") from None


def _read(path: Path) -> SourceTable:
    text = path.read_text()
    marker = text.split("\n", 1)[0]
    create = sqlglot.parse_one(text, read="postgres")
    if marker not in ("-- required", "-- optional") or not isinstance(create, exp.Create):
        raise SourceContractError(f"{path} must open with '-- required' or '-- optional' and be one create table")
    columns, key, checks, references = [], (), [], []
    for part in create.this.expressions:
        if isinstance(part, exp.ColumnDef):
            columns.append(_column(part))
            continue
        rule = part.expressions[0]
        if isinstance(rule, exp.PrimaryKey):
            key = tuple(column.name for column in rule.expressions)
        elif isinstance(rule, exp.ForeignKey):
            to = rule.args["reference"].this
            references.append(Reference(part.name, rule.expressions[0].name, to.this.name, to.expressions[0].name))
        else:
            checks.append(_check(part.name, rule.this))
    name, meaning = create.this.this.name, " ".join(line.strip() for line in (create.comments or [])[1:])
    is_required = marker == "-- required"
    return SourceTable(name, meaning, is_required, tuple(columns), key, tuple(checks), tuple(references))


def _column(definition: exp.ColumnDef) -> Column:
    required = definition.find(exp.NotNullColumnConstraint) is not None
    meaning = " ".join(line.strip() for line in definition.comments or ())
    return Column(definition.name, _duckdb_type(definition.kind), required, meaning)


def _duckdb_type(kind: exp.DataType | None) -> str:
    text = kind.sql("duckdb") if kind else "TEXT"
    return {"TEXT": "VARCHAR", "INT": "INTEGER"}.get(text, text)


def _check(name: str, condition: exp.Expression) -> Check:
    """The plainest of the check classes that says the same as the condition."""
    sql = condition.sql("duckdb")
    left, right = condition.this, condition.expression
    match condition:
        case exp.In():
            return InSet(name, left.name, tuple(value.this for value in condition.expressions), sql)
        case exp.Between():
            return Between(name, left.name, _number(condition.args["low"]), _number(condition.args["high"]), sql)
        case exp.GTE() | exp.GT() if isinstance(right, exp.Literal):
            return Between(name, left.name, _number(right), None, sql, strict_low=isinstance(condition, exp.GT))
        case exp.GTE() | exp.LTE() if (one := _column_of(left)) and (other := _column_of(right)):
            later, earlier = (one, other) if isinstance(condition, exp.GTE) else (other, one)
            return NotBefore(name, later, earlier, sql)
        case exp.EQ() if isinstance(left, exp.Extract) and left.name == "DAY" and right == exp.Literal.number(1):
            return FirstOfMonth(name, left.expression.name, sql)
    return Expression(name, sql)


def _column_of(side: exp.Expression) -> str | None:
    """The column of ``x`` or ``x::date``, None for anything else."""
    inner = side.this if isinstance(side, exp.Cast) else side
    return inner.name if isinstance(inner, exp.Column) else None


def _number(literal: exp.Expression) -> Decimal:
    return Decimal(literal.sql())
