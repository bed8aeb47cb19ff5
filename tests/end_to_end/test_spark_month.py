"""A month by Spark over an object store, killed twice, and by DuckDB over a folder: what is published, and what is done
about it, is the same."""

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from pipeline.cycle import rate_month
from pipeline.engine.objects import objects
from pipeline.policy import Policy
from pipeline.resources import ROOT
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables
from pipeline.warehouse.monthly_tables import TABLES
from tests.support.environment import variables
from tests.support.spark import QUICK_START, differences

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(3600)]

SIZE = 2_000, 28
FEW = {"cohorts": 4, "out_of_time_cohorts": 2, "min_defaults": 20}
KILLED_AT = ("pipeline.customers.group._fit", "pipeline.warehouse.revisions.seal")
RATE = """
import importlib, json, os, signal, sys
from pathlib import Path
from pipeline.cycle import rate_month
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings

month, policy, killed_at = sys.argv[1:]
if killed_at:
    module, _, name = killed_at.rpartition(".")
    setattr(importlib.import_module(module), name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
rate_month(RatingMonth.parse(month), Settings.load(), Policy(**json.loads(Path(policy).read_text())), mode="retrain")
"""


@pytest.fixture(scope="module")
def policy():
    default = Policy.load().model_dump(mode="json")
    changed = {"monitoring": {"max_psi": 5}, "training": FEW}
    return Policy(**default | {name: default[name] | values for name, values in changed.items()})


@pytest.fixture(scope="module")
def months(databases, policy, spark_settings, new_bucket, tmp_path_factory):
    """The same two databases, some of whose records are in quarantine, after each engine trained and rated a month."""
    rows = defaultdict(list)
    for name, batch in generate(*SIZE, dirty=0.002):
        rows[name].append(batch)
    with databases(tmp_path_factory.mktemp("by_duckdb")) as by_duckdb:
        replace_tables(by_duckdb.source, ((name, batch) for name, batches in rows.items() for batch in batches))
        rate_month(LAST - 1, by_duckdb, policy)
        with databases(tmp_path_factory.mktemp("by_spark"), like=by_duckdb) as like:
            lake = new_bucket()
            objects(lake).store.put(f"{by_duckdb.lake_path}/", f"{lake}/", recursive=True, batch_size=4)
            by_spark = like.model_copy(update={"lake": lake})
            rate_month(LAST, by_duckdb, policy, mode="retrain")
            file = tmp_path_factory.mktemp("policy") / "policy.json"
            file.write_text(json.dumps(policy.model_dump(mode="json")))
            for killed_at in KILLED_AT:
                assert rated(by_spark, spark_settings, file, killed_at) == -signal.SIGKILL
            assert rated(by_spark, spark_settings, file) == 0
            yield by_duckdb, by_spark


def rated(settings, spark_settings, policy: Path, killed_at: str = "") -> int:
    """The month by Spark in a process of its own; its exit code."""
    environment = variables(settings) | {
        "GRIDGRADE_ENGINE": "spark",
        "GRIDGRADE_THREADS": str(spark_settings.threads),
        "GRIDGRADE_MEMORY_LIMIT": spark_settings.memory_limit,
        "JAVA_TOOL_OPTIONS": QUICK_START,
    }
    command = [sys.executable, "-c", RATE, str(LAST), str(policy), killed_at]
    return subprocess.run(command, env=os.environ | environment, cwd=ROOT, check=False).returncode


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
