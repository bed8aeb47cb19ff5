"""The rows of an extract query that no month holds, because their recorded_at is null, infinite or before 1900."""

import sqlalchemy as sa
from sqlglot import exp

from pipeline.source.read.query_text import BEFORE, FROM, parsed, written

_INVERSE = {exp.GTE: exp.LT, exp.GT: exp.LTE, exp.LT: exp.GTE, exp.LTE: exp.GT}
_MIRRORED = {exp.GTE: exp.LTE, exp.GT: exp.LT, exp.LT: exp.GT, exp.LTE: exp.GTE}


def of_no_month(text: str, engine: sa.Engine) -> str | None:
    """The query with the rows that the widest bounds leave out. It has the same parameters, for these bounds.

    What is compared with the bounds in a ``where`` (by <, >= or between, the bound within a function or not) is asked
    to be null or out of bounds instead, which an index can answer. Where several parts of the query have bounds, they
    are left out. Either way it may also give rows that are in a month, and the caller looks at their recorded_at. Other
    uses of the bounds stay as they are. None: no comparison was found, and the rows cannot be counted.
    """
    tree = parsed(text, engine)
    if tree is None:
        return None
    bounded = []
    for where in list(tree.find_all(exp.Where)):
        kept, left_out = [], []
        for condition in _conjuncts(where.this):
            outside = _outside(condition)
            if outside is None:
                kept.append(condition.copy())
            else:
                left_out += outside
        if left_out:
            bounded.append((where, kept, left_out))
    for where, kept, left_out in bounded:
        if len(bounded) == 1:
            where.set("this", exp.and_(*kept, exp.paren(exp.or_(*left_out))))
        elif kept:
            where.set("this", exp.and_(*kept))
        else:
            where.pop()
    return written(tree, engine) if bounded else None


def is_unusable(instant: str) -> str:
    """A condition over a column of the rows."""
    return f"({instant} is null or {instant} < :{FROM} or {instant} >= :{BEFORE})"


def is_unusable_text(instant: str, dialect: sa.Dialect) -> str:
    """The same for a column of text; an ISO date is compared as such."""
    text = str(sa.cast(sa.literal_column(instant), sa.String(60)).compile(dialect=dialect))
    return f"({instant} is null or {text} < '1900-01-01' or {text} >= '9999-12-30')"


def _conjuncts(condition: exp.Expr) -> list[exp.Expr]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return _conjuncts(condition.left) + _conjuncts(condition.right)
    return [condition]


def _outside(condition: exp.Expr) -> list[exp.Expr] | None:
    """What is true instead of ``condition`` where a row is out of bounds; None where it compares with no bound."""
    if isinstance(condition, exp.Between):
        low, high = condition.args["low"], condition.args["high"]
        parts = [exp.GTE(this=condition.this, expression=low), exp.LTE(this=condition.this, expression=high)]
        outside = [_outside_one(part) for part in parts]
        return None if None in outside else [each for part in outside for each in part or ()]
    return _outside_one(condition)


def _outside_one(comparison: exp.Expr) -> list[exp.Expr] | None:
    kind, instant, limit = type(comparison), comparison.this, comparison.expression
    if kind not in _INVERSE:
        return None
    if _bound(instant) is not None:
        kind, instant, limit = _MIRRORED[kind], limit, instant
    if _bound(instant) is not None:
        return None
    outside: list[exp.Expr] = [
        exp.Is(this=instant, expression=exp.null()),
        _INVERSE[kind](this=instant, expression=limit),
    ]
    if _bound(limit) == BEFORE and kind in (exp.LT, exp.LTE):
        beginning = limit.copy()
        for parameter in beginning.find_all(exp.Placeholder):
            parameter.set("this", FROM)
        outside.append(exp.LT(this=instant, expression=beginning))
    elif _bound(limit) != FROM or kind not in (exp.GTE, exp.GT):
        return None
    return [each.copy() for each in outside]


def _bound(side: exp.Expr) -> str | None:
    """The one bound that a side of a comparison holds, "both" for two; None: no bound, or within a query of its own."""
    if side.find(exp.Query) is not None:
        return "both"
    names = {parameter.name for parameter in side.find_all(exp.Placeholder)}
    return None if not names else names.pop() if len(names) == 1 else "both"
