"""What the pipeline binds, as SQL text with the values in it: what a floor runs by itself."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlglot import exp

from pipeline.engine import Engine
from pipeline.engine.duckdb import DuckDBEngine
from pipeline.engine.queries import Query, compose
from pipeline.lake import Lake
from pipeline.lake.known_records import KnownRecords
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings


def database(settings: Settings, policy: Policy, folder: Path) -> dict[str, Any]:
    """What ``floors.connect`` is given."""
    return {"memory": settings.memory_limit, "threads": settings.threads, "folder": str(folder)}


def file_list(files: list[str]) -> str:
    """Files as DuckDB's read_parquet takes them."""
    return "[" + ", ".join(exp.Literal.string(file).sql("duckdb") for file in files) + "]"


def with_values(query: Query, values: dict[str, Any]) -> str:
    """The text of a query with its values in place of the parameters."""

    def value_of(node: exp.Expression) -> exp.Expression:
        return _literal(values[node.name]) if isinstance(node, exp.Placeholder) else node

    return query.tree.transform(value_of).sql("duckdb")


def _literal(value: Any) -> exp.Expression:
    """A double stays a double: as digits alone it would be a decimal."""
    match value:
        case None | bool() | str():
            return exp.convert(value)
        case int() | Decimal():
            return exp.Literal.number(value)
    kinds = {float: "double", datetime: "timestamptz", date: "date"}
    return exp.cast(exp.Literal.string(str(value)), kinds[type(value)])


def facts(month: RatingMonth, settings: Settings, policy: Policy, folder: Path) -> list[str]:
    """Views of all that the month may know, as ``create view`` statements; small tables go to files of ``folder``."""
    with DuckDBEngine(settings) as engine:
        KnownRecords(Lake.of(settings), policy, month).bind(engine)
        for name in ("families", "lake_begins"):
            keep(engine, name, folder)
        return views(engine)


def keep(engine: Engine, name: str, folder: Path) -> None:
    """Bind a table to a file in place of memory."""
    path = folder / f"{name}.parquet"
    engine.write(compose(f"select * from {name}"), None, path)
    engine.bind_files(name, [str(path)])


def views(engine: Engine) -> list[str]:
    """The views of an engine, as statements."""
    query = compose("select sql from duckdb_views() where not internal and sql is not null")
    return engine.fetch(query)["sql"].to_pylist()
