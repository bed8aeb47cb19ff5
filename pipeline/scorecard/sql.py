"""SQL that DuckDB and PostgreSQL work out to the same double as numpy does."""

from collections.abc import Iterable

from pipeline.scorecard.errors import ModelFitError

DIALECTS = {"duckdb": "double", "postgresql": "double precision"}  # and what each calls a float64


def double(column: str | float, dialect: str) -> str:
    """A column, or a number, that is a float64 whatever its type was."""
    if dialect not in DIALECTS:
        raise ModelFitError(f"SQL dialect {dialect!r} is unknown: known are {', '.join(DIALECTS)}")
    return f"cast({identifier(column) if isinstance(column, str) else number(column)} as {DIALECTS[dialect]})"


def identifier(name: str) -> str:
    """A column's name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text literal."""
    return "'" + value.replace("'", "''") + "'"


def number(value: float) -> str:
    """A float64 literal to the bit, in brackets if negative.

    With an exponent, as DuckDB would otherwise read a DECIMAL, whose conversion to double rounds twice.
    """
    digits = repr(float(value))
    literal = digits if "e" in digits else digits + "e0"
    return f"({literal})" if literal.startswith("-") else literal


def case(*branches: tuple[str, str], otherwise: str) -> str:
    """``case when condition then value ... else otherwise end``; just ``otherwise`` without branches."""
    if not branches:
        return otherwise
    whens = " ".join(f"when {condition} then {value}" for condition, value in branches)
    return f"case {whens} else {otherwise} end"


def stacked(query: str, select_lists: Iterable[str]) -> str:
    """A query under select lists, each over all columns of the one before."""
    for columns in select_lists:
        query = f"select *, {columns} from ({query})"
    return query
