"""A month by Spark and by DuckDB: what is published, and what is done about it, is the same."""

from types import SimpleNamespace

import psycopg
import pytest
from psycopg.rows import dict_row

from pipeline.cycle import rate_month
from pipeline.policy import Policy
from pipeline.sample import LAST
from pipeline.source.write import replace_tables
from pipeline.warehouse.monthly_tables import TABLES
from tests.support.spark import differences

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

TRAINED = LAST - 1
FEW = {"cohorts": 4, "out_of_time_cohorts": 2, "min_defaults": 20}


@pytest.fixture(scope="module")
def policy():
    default = Policy.load().model_dump(mode="json")
    changed = {"monitoring": {"max_psi": 5}, "training": FEW}
    return Policy(**default | {name: default[name] | values for name, values in changed.items()})


@pytest.fixture(scope="module")
def months(sample, databases, policy, spark_settings, tmp_path_factory):
    """The same two databases after the same month, rated by each engine."""
    with databases(tmp_path_factory.mktemp("first")) as first:
        replace_tables(first.source, ((name, b) for name, rows in sample.items() for b in rows.to_batches()))
        rate_month(TRAINED, first, policy)
        with databases(tmp_path_factory.mktemp("by_spark"), like=first) as like:
            by_spark = like.model_copy(update=spark_settings.model_dump(include={"engine", "threads", "memory_limit"}))
            outcomes = SimpleNamespace(duckdb=rate_month(LAST, first, policy), spark=rate_month(LAST, by_spark, policy))
            yield SimpleNamespace(duckdb=first, spark=by_spark, outcomes=outcomes)


def rows(settings, statement):
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(statement, {"month": LAST.first_day}).fetchall()


PUBLISHED = [f"select * from rating.{table} where rating_month = %(month)s" for table in TABLES]
DONE = [
    "select action_id, customer_id, action_type, reason, payload, status, blocked_by from ops.service_actions"
    " where rating_month = %(month)s",
    "select * from ops.receivables where rating_month = %(month)s",
]


@pytest.mark.parametrize("statement", [*PUBLISHED, *DONE])
def test_both_months_are_the_same(months, statement):
    found = [rows(settings, statement) for settings in (months.duckdb, months.spark)]
    for row in (row for each in found for row in each):
        row.pop("publication_id", None)
    assert found[0]
    assert not differences(*found)[:5]
