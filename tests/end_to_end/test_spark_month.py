"""A month by Spark and by DuckDB: what is published, and what is done about it, is the same."""

from collections import defaultdict

import psycopg
import pytest
from psycopg.rows import dict_row

from pipeline.cycle import rate_month
from pipeline.policy import Policy
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables
from pipeline.warehouse.monthly_tables import TABLES
from tests.support.fixtures import SIZE
from tests.support.spark import differences

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

FEW = {"cohorts": 4, "out_of_time_cohorts": 2, "min_defaults": 20}


@pytest.fixture(scope="module")
def policy():
    default = Policy.load().model_dump(mode="json")
    changed = {"monitoring": {"max_psi": 5}, "training": FEW}
    return Policy(**default | {name: default[name] | values for name, values in changed.items()})


@pytest.fixture(scope="module")
def months(databases, policy, spark_settings, tmp_path_factory):
    """The same two databases, some of whose records are in quarantine, after each engine trained and rated a month."""
    rows = defaultdict(list)
    for name, batch in generate(*SIZE, dirty=0.002):
        rows[name].append(batch)
    with databases(tmp_path_factory.mktemp("by_duckdb")) as by_duckdb:
        replace_tables(by_duckdb.source, ((name, batch) for name, batches in rows.items() for batch in batches))
        rate_month(LAST - 1, by_duckdb, policy)
        with databases(tmp_path_factory.mktemp("by_spark"), like=by_duckdb) as like:
            by_spark = like.model_copy(update=spark_settings.model_dump(include={"engine", "threads", "memory_limit"}))
            for settings in (by_duckdb, by_spark):
                rate_month(LAST, settings, policy, mode="retrain")
            yield by_duckdb, by_spark


def rows(settings, statement):
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(statement, {"month": LAST.first_day}).fetchall()


PUBLISHED = [f"select * from rating.{table} where rating_month = %(month)s" for table in TABLES]
DONE = [
    "select action_id, customer_id, action_type, reason, payload, status, blocked_by from ops.service_actions"
    " where rating_month = %(month)s",
    "select campaign, customer_id, opening_arrears, repaid, rebate from ops.arrears_rebates",
    "select table_name, recorded_month, row_number, failed from ops.quarantine",
    "select * from ops.receivables where rating_month = %(month)s",
    "select * from rating.model_monitoring where rating_month = %(month)s",
]


@pytest.mark.parametrize("statement", [*PUBLISHED, *DONE])
def test_both_months_are_the_same(months, statement):
    found = [rows(settings, statement) for settings in months]
    for row in (row for each in found for row in each):
        for name in row.keys() & {"publication_id", "measured_at", "computed_at"}:
            del row[name]
    assert found[0]
    assert not differences(*found)[:5]
