"""DuckDB's SQL in Spark's: where sqlglot's translation gives other values, and a query taken apart into stages."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import ClassVar, NamedTuple

from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.generators.spark import SparkGenerator

from pipeline.engine.queries import DIALECT, Query


class SparkSQL(Spark):
    """Spark's dialect with what DuckDB means by it."""

    class Generator(SparkGenerator):
        TRANSFORMS: ClassVar = {
            kind: to for kind, to in SparkGenerator.TRANSFORMS.items() if kind is not exp.AtTimeZone
        }

        def div_sql(self, expression: exp.Div) -> str:
            """A quotient is a double, of decimals too. By zero it is an error, where DuckDB has infinity."""
            left, right = (exp.cast(side.copy(), "double") for side in (expression.this, expression.expression))
            return f"{self.sql(left)} / {self.sql(right)}"

        def anonymous_sql(self, expression: exp.Anonymous) -> str:
            """round_even to no decimals; a hash of 64 bits; to_json of a struct with its nulls, and of a value by
            itself."""
            name, arguments = str(expression.this).upper(), expression.expressions
            if name == "ROUND_EVEN":
                return self.func("RINT", arguments[0])
            if name == "HASH":
                return self.func("XXHASH64", *arguments)
            if name == "TO_JSON":
                is_struct = isinstance(arguments[0], exp.Struct)
                given = self.sql(arguments[0] if is_struct else exp.Struct(expressions=[exp.alias_(arguments[0], "v")]))
                written = f"TO_JSON({given}, MAP('ignoreNullFields', 'false'))"
                if is_struct:
                    return written
                return f"IF({self.sql(arguments[0])} IS NULL, NULL, SUBSTR({written}, 6, LENGTH({written}) - 6))"
            return super().anonymous_sql(expression)

        def attimezone_sql(self, expression: exp.AtTimeZone) -> str:
            """What a clock in that zone shows at an instant: a timestamp of no zone, whichever the session's is."""
            shown = self.func("UNIX_MICROS", self.func("FROM_UTC_TIMESTAMP", expression.this, expression.args["zone"]))
            return f"TIMESTAMPADD(MICROSECOND, {shown}, TIMESTAMP_NTZ '1970-01-01 00:00:00')"

        def percentilecont_sql(self, expression: exp.PercentileCont) -> str:
            """quantile_cont, which has two arguments."""
            return self.func("PERCENTILE", expression.this, expression.expression)


class Stage(NamedTuple):
    """A common table expression of a query as a view of its own, which the stages after it name so many times."""

    name: str
    sql: str
    times_named: int


def spark_type(kind: str) -> str:
    """A type of DuckDB's in Spark's words."""
    return exp.DataType.build(kind, DIALECT).sql(SparkSQL)


def text(value: str) -> str:
    """A text as Spark's SQL writes it."""
    return exp.Literal.string(value).sql(SparkSQL)


def stages(query: Query, prefix: str) -> list[Stage]:
    """The common table expressions of a query that it names more than once, in the order they need each other, and last
    the query itself.

    Spark would put the text of each wherever it is named, and an account's history many times over into one plan. The
    others stay where they are named: a view of its own would have Spark look at its text again for each after it.
    """
    unfolded = _Unfolded(prefix)
    last = unfolded.add("result", unfolded.body(query.tree, {}))
    views = unfolded.views
    named = Counter(name for tree in views.values() for name in _named(tree))
    recursive = [tree for tree in views.values() if "with_" in tree.args]
    apart = {name for name, times in named.items() if times > 1} | {name for tree in recursive for name in _named(tree)}
    apart |= {name for name, tree in views.items() if tree in recursive} | {last}
    return [
        Stage(name, _with_own(tree, views, apart).sql(SparkSQL, comments=False), named[name])
        for name, tree in views.items()
        if name in apart
    ]


def _with_own(tree: exp.Query, views: Mapping[str, exp.Query], apart: Collection[str]) -> exp.Query:
    """The query with the views that it needs and that are not ``apart`` as its common table expressions."""
    needed: set[str] = set()
    looked_at = [tree]
    while looked_at:
        found = {name for name in _named(looked_at.pop()) if name in views and name not in apart} - needed
        needed |= found
        looked_at += [views[name] for name in found]
    if needed:
        ctes = [
            exp.CTE(this=view.copy(), alias=exp.TableAlias(this=exp.to_identifier(name)))
            for name, view in views.items()
            if name in needed
        ]
        tree.set("with_", exp.With(expressions=ctes))
    return tree


class _Unfolded:
    """The views that a query's common table expressions become, each over those before it."""

    def __init__(self, prefix: str):
        self._prefix = prefix
        self.views: dict[str, exp.Query] = {}

    def add(self, name: str, tree: exp.Query) -> str:
        """The name of the new view."""
        view = f"{self._prefix}_{len(self.views)}_{name}"
        self.views[view] = tree
        return view

    def body(self, query: exp.Query, known: Mapping[str, str]) -> exp.Query:
        """The query without its common table expressions. ``known``: by name, the views of those around it."""
        query, known = query.copy(), dict(known)
        if (own := query.args.get("with_")) is not None:
            own.pop()
            for cte in own.expressions:
                itself = own.args.get("recursive") and cte.alias in _named(cte.this)
                known[cte.alias] = self.add(cte.alias, _recursive(cte, known) if itself else self.body(cte.this, known))
        return _over(query, known)


def _recursive(cte: exp.CTE, known: Mapping[str, str]) -> exp.Query:
    rows = _over(cte.this, {name: view for name, view in known.items() if name != cte.alias})
    return exp.select("*").from_(cte.alias).with_(cte.alias, as_=rows, recursive=True)


def _over(query: exp.Query, views: Mapping[str, str]) -> exp.Query:
    """The query with views in place of the names that they are known by."""
    query = query.copy()
    for table in query.find_all(exp.Table):
        if table.name in views:
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(views[table.name]))
    return query


def _named(query: exp.Expr) -> list[str]:
    return [table.name for table in query.find_all(exp.Table)]
