"""DuckDB's SQL in Spark's, without a Spark: tests/sql/test_spark.py runs it."""

import pytest
import sqlglot
from sqlglot import exp

from pipeline.engine import queries
from pipeline.engine.queries import compose
from pipeline.engine.spark_sql import SparkSQL, spark_type, stages


def of(text):
    return {stage.name: stage for stage in stages(compose(text), "s")}


@pytest.mark.parametrize("name", sorted(name for name in queries.files() if not queries.slots(name)))
def test_every_query_has_words_in_spark(name):
    for stage in stages(compose(f"select * from {name}"), "s"):
        tree = sqlglot.parse_one(stage.sql, read="spark")
        tree.sql(SparkSQL, unsupported_level=sqlglot.ErrorLevel.RAISE)
        assert isinstance(tree, exp.Query)


def test_what_is_named_twice_is_a_stage_and_the_rest_stays_where_it_is_named():
    found = of("with a as (select 1 as n), b as (select n from a union all select n from a) select b.n from b")
    assert list(found) == ["s_0_a", "s_2_result"]
    assert found["s_2_result"].sql == (
        "WITH s_1_b AS (SELECT n FROM s_0_a AS a UNION ALL SELECT n FROM s_0_a AS a) SELECT b.n FROM s_1_b AS b"
    )
    assert [stage.times_named for stage in found.values()] == [2, 0]


def test_what_stays_stands_in_the_stage_that_needs_it():
    found = of("with a as (select 1 as n), b as (select n from a), c as (select n from b) select * from c, c as d")
    assert list(found) == ["s_2_c", "s_3_result"]
    assert found["s_2_c"].sql == (
        "WITH s_0_a AS (SELECT 1 AS n), s_1_b AS (SELECT n FROM s_0_a AS a) SELECT n FROM s_1_b AS b"
    )
    assert found["s_3_result"].sql == "SELECT * FROM s_2_c AS c, s_2_c AS d"


def test_the_nearest_of_two_of_one_name_is_meant():
    nested = "with a as (select n + 1 as n from a) select * from a"
    found = of(f"with a as (select 1 as n), b as ({nested}) select * from a, b")
    assert list(found) == ["s_0_a", "s_3_result"]
    assert found["s_3_result"].sql == (
        "WITH s_1_a AS (SELECT n + 1 AS n FROM s_0_a AS a), s_2_b AS (SELECT * FROM s_1_a AS a) "
        "SELECT * FROM s_0_a AS a, s_2_b AS b"
    )


def test_one_that_names_itself_stays_whole():
    itself = "select n from a union all select n + 1 from r where n < 3"
    found = of(f"with recursive a as (select 1 as n), r as ({itself}) select * from r")
    assert list(found) == ["s_0_a", "s_1_r", "s_2_result"]
    assert found["s_1_r"].sql == (
        "WITH RECURSIVE r AS (SELECT n FROM s_0_a AS a UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r"
    )


def test_a_quantile_between_two_values():
    [stage] = stages(compose("select quantile_cont(a, 1 - :share) as q from t"), "s")
    assert stage.sql == "SELECT PERCENTILE(a, 1 - :share) AS q FROM t"


def test_a_quotient_is_a_double():
    [stage] = stages(compose("select a / (b + 1) as q from t"), "s")
    assert stage.sql == "SELECT CAST(a AS DOUBLE) / CAST((b + 1) AS DOUBLE) AS q FROM t"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("VARCHAR", "STRING"),
        ("DECIMAL(18, 2)", "DECIMAL(18, 2)"),
        ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"),
        ("DATE", "DATE"),
        ("BIGINT", "BIGINT"),
        ("DOUBLE", "DOUBLE"),
    ],
)
def test_a_type_in_words_of_spark(kind, expected):
    assert spark_type(kind) == expected
