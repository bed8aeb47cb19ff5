"""What of an extract query is a comment, what is quoted, and what is a parameter: each database has its own way."""

import pytest
import sqlalchemy as sa

from pipeline.source.read.query_text import escaped, without_comments

QUERIES = {
    "a comment that begins after code": (
        "postgresql",
        "select ':a', \"--b\" -- at :word\nfrom t /* or :other; */ where x >= :recorded_from; -- done",
        "select ':a', \"--b\" from t where x >= :recorded_from;",
    ),
    "a comment within a comment": ("postgresql", "select 1 /* a /* :b */ c */ + :x", "select 1 + :x"),
    "dollars and backslashes": (
        "postgresql",
        "select $$-- :a$$, E'\\':b', '\\' -- :c",
        "select $$-- :a$$, E'\\':b', '\\'",
    ),
    "casts": ("postgresql", "select a::date, b[1:2], :x", "select a::date, b[1:2], :x"),
    "an escaped quote": ("mysql", "select 'it\\'s -- :a', \"x\\\":b\" # :c", "select 'it\\'s -- :a', \"x\\\":b\""),
    "a doubled quote": ("mariadb", "select 'it''s # :a', `b``:c` -- :d", "select 'it''s # :a', `b``:c`"),
    "a number sign": ("mysql", "select 1 # it's :a\nfrom t#:b\nwhere c = :x", "select 1 from t where c = :x"),
    "two minus signs": ("mysql", "select 5--3, 5 -- :a", "select 5--3, 5"),
    "a comment that runs": (
        "mysql",
        "select /*!50110 straight_join */ 1 /* :a */",
        "select /*!50110 straight_join */ 1",
    ),
    "that runs nowhere else": ("sqlite", "select /*!50110 :a */ 1", "select 1"),
    "a hint": (
        "oracle",
        "select /*+ full(t) */ q'[it's :a]' from t -- :b",
        "select /*+ full(t) */ q'[it's :a]' from t",
    ),
    "a hint elsewhere": ("postgresql", "/*+ seqscan(t) */ select 1 /* :a */", "/*+ seqscan(t) */ select 1"),
    "brackets": ("mssql", "select [a -- :b], N'c:d' from [e f] -- :g", "select [a -- :b], N'c:d' from [e f]"),
    "another database": ("db2", "select ':a' from t -- :b", "select ':a' from t"),
    "no SQL at all": ("mysql", "select 'a -- b", "select 'a -- b"),
}


@pytest.mark.parametrize("what", QUERIES)
def test_comments_are_left_out_and_only_parameters_are_bound(what):
    backend, text, expected = QUERIES[what]
    kept = without_comments(text, backend)
    assert kept.split() == expected.split()
    statement = sa.text(escaped(kept, backend))
    assert list(statement._bindparams) == [name for name in ("x", "recorded_from") if f" :{name}" in text]
    assert statement.text.replace("\\:", ":").split() == expected.split()
