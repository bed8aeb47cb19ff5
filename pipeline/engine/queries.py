"""Composes the queries under sql/lake: a query with the shared queries it names put in front of it.

A query names tables. A name that stands under sql/lake is another query and becomes a common table expression here; any
other is a source table or a small table that the step binds. So a query reads as if everything were a table, and the
engine still sees one statement. A query of the utility's own folder takes the
place of ours at the same path, or is one more; otherwise two queries of one name are refused.
"""

from functools import cache, cached_property
from pathlib import Path

import sqlglot
from sqlglot import exp

from pipeline import resources
from pipeline.errors import ConfigError

DIALECT = "duckdb"


class Query:
    """A query ready to run, with ``:name`` parameters that the engine binds."""

    def __init__(self, tree: exp.Query):
        self._tree = tree
        self._texts: dict[str, str] = {}

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names it wants bound."""
        return frozenset(placeholder.name for placeholder in self._tree.find_all(exp.Placeholder))

    @cached_property
    def tables(self) -> frozenset[str]:
        """The tables it reads that are not queries of ours: source tables, and small tables of the step."""
        queries_of_ours = {cte.alias for cte in self._tree.find_all(exp.CTE)}
        return frozenset(table.name for table in self._tree.find_all(exp.Table)) - queries_of_ours

    def sql(self, dialect: str = DIALECT) -> str:
        """Its text for an engine."""
        if dialect not in self._texts:
            self._texts[dialect] = self._tree.sql(dialect, comments=False)
        return self._texts[dialect]


def compose(text: str) -> Query:
    """The query of this text with every query under sql/lake that it names, and those name in turn, in front of it."""
    return _composed(text, resources.project())


@cache
def _composed(text: str, project: Path | None) -> Query:
    tree = _query(sqlglot.parse_one(text, read=DIALECT))
    needed: dict[str, exp.Query] = {}
    _collect(tree, needed)
    if needed:
        own = tree.args.get("with_")
        ctes = [
            exp.CTE(this=body.copy(), alias=exp.TableAlias(this=exp.to_identifier(name)))
            for name, body in needed.items()
        ]
        tree.set("with_", exp.With(expressions=ctes + (own.expressions if own else [])))
    return Query(tree)


def columns(name: str) -> list[str]:
    """The columns that the query <name>.sql under sql/lake returns."""
    return _parse(name).named_selects


def _collect(query: exp.Query, needed: dict[str, exp.Query]) -> None:
    own = {cte.alias for cte in query.find_all(exp.CTE)}
    for name in sorted({table.name for table in query.find_all(exp.Table)} - own):
        if name not in needed and name in files():
            body = _parse(name)
            _collect(body, needed)
            needed[name] = body


def files() -> dict[str, Path]:
    """Every query under sql/lake by its name. ConfigError where two have one name."""
    return _files(resources.project())


@cache
def _files(project: Path | None) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in resources.files(resources.LAKE, ".sql").values():
        if path.stem in found:
            one, other = (resources.display(file) for file in (found[path.stem], path))
            raise ConfigError(f"{one} and {other} have one name: rename one of them")
        found[path.stem] = path
    return found


def _parse(name: str) -> exp.Query:
    file = files().get(name)
    if file is None:
        raise ConfigError(f"there is no query {name}.sql under sql/lake")
    return _parsed(file)


@cache
def _parsed(file: Path) -> exp.Query:
    try:
        return _query(sqlglot.parse_one(file.read_text(encoding="utf-8"), read=DIALECT))
    except sqlglot.ParseError as error:
        line = " ".join(str(error).split())
        raise ConfigError(f"{resources.display(file)} is not SQL that can be read: {line}") from None


def _query(tree: exp.Expr) -> exp.Query:
    if not isinstance(tree, exp.Query):
        raise ConfigError(f"{tree.sql(DIALECT)[:60]} is no query: it has to begin with select or with")
    return tree
