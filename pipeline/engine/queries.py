"""Composes the queries under sql/lake: a query with the shared queries it names put in front of it.

A query names tables. A name that stands under sql/lake is another query and becomes a common table expression here; any
other is a source table or a small table that the step binds. So a query reads as if everything were a table, and the
engine still sees one statement. A query of the utility's own folder takes the place of ours at the same path, or is one
more; otherwise two queries of one name are refused.

A query that follows from the policy or from a model has {slots} for it, and its header says what goes there, after
``Fragments:``. It is run by itself, and no other query can name it.
"""

import re
from collections.abc import Collection
from functools import cache, cached_property
from itertools import dropwhile, takewhile
from pathlib import Path

import sqlglot
from sqlglot import exp

from pipeline import resources
from pipeline.errors import ConfigError

DIALECT = "duckdb"
_SLOT = re.compile(r"\{(\w+)\}")


class Query:
    """A query ready to run, with ``:name`` parameters that the engine binds."""

    def __init__(self, tree: exp.Query):
        self._tree = tree
        self._texts: dict[str, str] = {}

    @property
    def tree(self) -> exp.Query:
        """What it says, to be read only."""
        return self._tree

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names of its parameters."""
        return frozenset(placeholder.name for placeholder in self._tree.find_all(exp.Placeholder))

    @cached_property
    def tables(self) -> frozenset[str]:
        """The tables it reads that are not under sql/lake: source tables, and small tables of the step."""
        queries_of_ours = {cte.alias for cte in self._tree.find_all(exp.CTE)}
        return frozenset(table.name for table in self._tree.find_all(exp.Table)) - queries_of_ours

    def sql(self, dialect: str = DIALECT) -> str:
        """Its text in a dialect."""
        if dialect not in self._texts:
            # In its own dialect a tree is not rewritten on the way to text, and a copy takes longer than the text.
            self._texts[dialect] = self._tree.sql(dialect, comments=False, copy=dialect != DIALECT)
        return self._texts[dialect]


def compose(text: str, given: Collection[str] = ()) -> Query:
    """The query of this text, with every query under sql/lake that it names, directly or not, put in front of it.

    ``given``: queries whose results the step binds, as it does a source table.
    """
    return _composed(text, frozenset(given), resources.project())


@cache
def _composed(text: str, given: frozenset[str], project: Path | None) -> Query:
    tree = _query(sqlglot.parse_one(text, read=DIALECT))
    needed: dict[str, exp.Query] = {}
    _collect(tree, needed, given)
    if needed:
        own = tree.args.get("with_")
        # The parsed queries themselves, which nobody changes: copies take longer than parsing.
        ctes = [exp.CTE(this=body, alias=exp.TableAlias(this=exp.to_identifier(name))) for name, body in needed.items()]
        tree.set("with_", exp.With(expressions=ctes + (own.expressions if own else [])))
    return Query(tree)


def query(name: str, **fragments: str) -> Query:
    """The query <name>.sql under sql/lake itself, composed; ``fragments``: the SQL for its {slots}."""
    return compose(filled(name, **fragments))


def filled(name: str, **fragments: str) -> str:
    """The text of the query <name>.sql under sql/lake, with ``fragments`` in its {slots}: to go into another's slot."""
    return _SLOT.sub(lambda slot: fragments[slot[1]], _body(name))


def columns(name: str) -> list[str]:
    """The columns that the query <name>.sql under sql/lake returns."""
    return _parse(name).named_selects


def header(name: str) -> str:
    """The comment at the top of the query <name>.sql, on one line."""
    lines = takewhile(lambda line: line.startswith("--"), _file(name).read_text(encoding="utf-8").splitlines())
    return " ".join(line.removeprefix("--").strip() for line in lines)


def normal_form(name: str) -> str:
    """The tokens of the query <name>.sql, one a line: equal where only comments or layout differ."""
    file = _file(name)
    try:
        tokens = sqlglot.tokenize(file.read_text(encoding="utf-8"), read=DIALECT)
    except sqlglot.TokenError as error:
        raise _unreadable(file, error) from None
    return "\n".join(f"{token.token_type.name} {token.text}" for token in tokens)


def slots(name: str) -> frozenset[str]:
    """The {slots} of a query; most have none."""
    return frozenset(_SLOT.findall(_body(name))) if " Fragments: " in f" {header(name)}" else frozenset()


def _collect(query: exp.Query, needed: dict[str, exp.Query], given: frozenset[str]) -> None:
    own = {cte.alias for cte in query.find_all(exp.CTE)}
    for name in sorted({table.name for table in query.find_all(exp.Table)} - own - given):
        if name not in needed and name in files():
            body = _parse(name)
            _collect(body, needed, given)
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


def _body(name: str) -> str:
    lines = _file(name).read_text(encoding="utf-8").splitlines()
    return "\n".join(dropwhile(lambda line: line.startswith("--"), lines))


def _file(name: str) -> Path:
    file = files().get(name)
    if file is None:
        raise ConfigError(f"there is no query {name}.sql under sql/lake")
    return file


def _parse(name: str) -> exp.Query:
    return _parsed(_file(name))


@cache
def _parsed(file: Path) -> exp.Query:
    try:
        return _query(sqlglot.parse_one(file.read_text(encoding="utf-8"), read=DIALECT))
    except (sqlglot.ParseError, sqlglot.TokenError) as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> ConfigError:
    return ConfigError(f"{resources.display(file)} is not SQL that can be read: {' '.join(str(error).split())}")


def _query(tree: exp.Expr) -> exp.Query:
    if not isinstance(tree, exp.Query):
        raise ConfigError(f"{tree.sql(DIALECT)[:60]} is no query: it has to begin with select or with")
    return tree
