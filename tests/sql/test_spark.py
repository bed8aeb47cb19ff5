"""Every query of sql/lake on Spark: the cases worked out by hand, and the others on the same data as DuckDB."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from pipeline.actions.measures import decision_inputs
from pipeline.customers.parameters import group_parameters
from pipeline.engine import Engine, open_engine, queries
from pipeline.engine.queries import Query, compose
from pipeline.lake.known_records import families, lake_begins
from pipeline.maintenance.cases import OURS, fault
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.sample import Utility
from pipeline.settings import Settings
from tests.support.spark import differences

pytestmark = pytest.mark.spark

CASES = sorted(OURS.rglob("*.yaml"))
MONTH, POLICY = RatingMonth(2026, 10), Policy.load()
PARAMETERS = (
    group_parameters(POLICY, MONTH)
    | decision_inputs.parameters(POLICY, MONTH)
    | {"share": Decimal("0.1"), "rate": Decimal("0.05"), "cap": Decimal("20"), "budget": Decimal("150")}
    | {"window_start": date(2026, 8, 1), "window_end": date(2026, 11, 1), "month_start": date(2026, 10, 1)}
    | {"recorded_from": datetime(2026, 3, 31, 16, tzinfo=UTC)}
    | {"recorded_before": datetime(2026, 10, 31, 16, tzinfo=UTC)}
    | {"at": datetime(2026, 9, 1, tzinfo=UTC), "customers": 40, "largest": 15, "is_guarded": True}
    | {"namespace": "6ba7b8109dad11d180b400c04fd430c8", "seed": "groups 1 ", "rows": 50, "family": "residential"}
    | {"cohort": "2026-10", "sample": "sample 1 ", "worst": "D"}
)
# What steps bind beside the source tables, and the queries above it, in DuckDB's own words: each reads those before.
_DRAWN = "hash(customer_id)"
STEP_TABLES = {
    "credited": "select * from credited",
    "bill_status": "select * from bill_status",
    "rated": f"""
        select customer_id, segment, substr('ABCD', cast({_DRAWN} % 4 as int) + 1, 1) as grade,
        case {_DRAWN} % 3 when 0 then 'high value' when 1 then 'medium value' end as value_group,
        {_DRAWN} % 101 / 100 as outage_sensitivity, cast({_DRAWN} % 5003 as double) as revenue,
        {_DRAWN} % 7 / 7 - 0.5 as consumption_trend,
        concat('v', {_DRAWN} % 2) as model_version, {_DRAWN} % 97 * 5.5 as score,
        {_DRAWN} % 83 / 83 as default_probability
        from customers""",
    "in_arrears": "select * from debts",
    "money": "select * from month_receivables",
    "managed_before": "select customer_id, 'desk-1' as manager, '2026-01' as since from rated where grade = 'A'",
    "managers": "select * from manager_assignments",
    "protected": "select * from protections",
    "compared": "select * from arrears_compared",
    "snapshot": "select customer_id from customers",
    "outcomes": f"""
        select customer_id, 'residential' as family, 'bad' as outcome, {_DRAWN} % 5 = 0 as is_default from customers""",
    "before": f"""
        select customer_id, segment, grade, score, 'model' as rating_basis, cast(null as varchar) as grade_rule,
        'P1' as reason_1, cast(null as varchar) as reason_2, 'C1' as reason_3, cast(null as varchar) as reason_4
        from rated where {_DRAWN} % 11 > 0""",
    "after": f"""
        select * replace (case when {_DRAWN} % 13 = 0 then 'C' else grade end as grade, score + {_DRAWN} % 3 as score)
        from before where {_DRAWN} % 17 > 0""",
    "scale": "select substr('ABCD', place, 1) as grade, place as rank from (select unnest([1, 2, 3, 4]) as place)",
    "overdue_at_start": """
        select bill_id, customer_id, amount as unpaid from bill_status where due_on < date '2026-10-01'""",
    "standing": "select customer_id, cast(1 as decimal(18, 2)) as rebate from overdue_at_start order by all limit 3",
    "granted_then": "select * from rebates_granted",
    "affected": "select distinct customer_id from overdue_at_start",
    "names": """
        select row_number() over (order by customer_id) as place, 'collection:' || customer_id as name
        from customers""",
    "indices": f"""
        select customer_id, segment, 'residential' as family, 'north' as region, 6 as bills,
        {_DRAWN} % 7 = 0 as is_in_default,
        false as is_thin_file, {_DRAWN} % 5 = 0 as is_new, 'new_customer' as rules_in_force,
        false as is_default_by_register, 0 as quarantined_records, {_DRAWN} % 100 / 7 as arrears_ratio,
        {_DRAWN} % 3 = 0 as arrears_ratio_missing, 'B' as arrears_ratio_band from customers""",
    "previous": "select customer_id, grade from rated",
    "decided": """
        select customer_id, 'A' as override_grade, cast(null as varchar) as veto_grade from rated where grade = 'B'""",
    "grades": "select * from rated",
    "roles": """
        select customer_id, family, 'fit' as role, cast(is_default as integer) as is_default, md5(customer_id) as place
        from outcomes""",
    "drawn": "select *, place < '7' as is_plain from roles",
    "computed": "select * from indices",
    "graded": "select customer_id, grade < 'C' as is_favourable from rated",
    "members": """
        select *, 0.1 * revenue as arrears_ratio, 0.5 as consumption_trend, 0.25 as sensitivity from group_features""",
    "checked": """
        select bill_id, customer_id, cancels_bill_id, billing_month, recorded_at,
        cast(year(recorded_at) * 100 + month(recorded_at) as integer) as file_number,
        row_number() over (partition by month(recorded_at), year(recorded_at) order by bill_id) as file_row_number
        from (select * from bills union all select * from bills where day(issued_on) % 7 = 0)
        where recorded_at >= timestamptz '2026-06-01 00:00:00+00'""",
    "earlier": "select bill_id, 202605 as file_number, file_row_number from checked where file_row_number % 11 = 0",
    "bounds": """
        select distinct file_number, timestamptz '2026-07-01 00:00:00+00' as since,
        timestamptz '2026-10-15 00:00:00+00' as until from checked""",
    "failures": """
        select file_number, file_row_number, ['a rule', concat('rule ', file_row_number)] as failed
        from checked where file_row_number % 5 = 0""",
    "bills_of_the_lake": "select bill_id, file_number from checked where file_number > 202606",
    "grouped": f"select customer_id, revenue, concat('group ', {_DRAWN} % 3) as value_group from members",
}
REFERENCE = {
    "rows": "select * from checked",
    "known": "bills_of_the_lake",
    "referred_column": "bill_id",
    "column": "cancels_bill_id",
    "since": "202607",
    "flag": "cancelled_bill_exists",
}
# Queries without cases of their own: with what fills their slots.
SLOTS = {
    "customers_by_bin": {
        "input": "i.arrears_ratio",
        "score": "300 - 10 * arrears_ratio",
        "bins": "select 'score' as name, case when score < 250 then 0 else 1 end as bin from scored",
    },
    "cohort_roles": {"role": "case when md5(customer_id) < '5' then 'fit' end"},
    "action_ids": {"names": "names"},
    "due_actions": {
        "measures": "select 'responsibility_notice' as action_type, customer_id, cast(subject as varchar) as subject, "
        "reason, cast(to_json({'grade': grade, 'of': cast(null as varchar), 'left': 2.25}) as varchar) as payload "
        "from (select customer_id, null as subject, 'so \"it\" is' as reason, grade from rated)"
    },
    "group_members": {"indices": "i.arrears_ratio, cast(null as double) as outage_sensitivity"},
    "group_totals": {
        "aspect": "value",
        "means": "cast(sum(cast(m.outages as decimal(38, 9))) as double) / nullif(count(m.outages), 0) as outages",
    },
    "members_to_group": {
        "sensitivities": "sensitivity as service_sensitivity",
        "levels": "revenue as billed, sign(outages) * ln(1 + abs(cast(outages as double))) as outages",
    },
    "grouped_customers": {
        "members": "select *, 'high' as value from (select *, 0.5 as service_sensitivity, 0.5 as outage_sensitivity, "
        "revenue as billed from life_cycle) as m",
        "value_group": "case when not is_closed then value end",
        "demand_group": "null",
        "behaviour_group": "null",
        "names": "value || ', ' || value",
    },
    "reference_looked_up": REFERENCE,
    "rows_failed": {"columns": "c.bill_id, c.recorded_at"},
    "rows_to_judge": {
        "rows": queries.filled("reference_looked_up", **REFERENCE),
        "key": "bill_id",
        "within": "bill_id",
        "given": "bill_id is not null",
        "columns": "cancelled_bill_exists, (recorded_at at time zone 'UTC') as recorded_at, "
        'cast(cast(recorded_at as date) as timestamp) as "recorded_at as a date"',
        "suspicious": "not (recorded_in_month and key_occurs_once and cancelled_bill_exists)",
    },
    "sampled_members": {"levels": "sign(outages) * ln(1 + abs(cast(outages as double))) as outages"},
    "selected_by_group": {"table": "snapshot", "column": '"customer_id"'},
    "shadow_grades": {
        "input": "i.arrears_ratio",
        "probability": "1 / (1 + exp(-arrears_ratio))",
        "champion_grade": "case when g.default_probability < 0.5 then 'A' else 'D' end",
        "challenger_grade": "case when s.default_probability < 0.9 then 'A' else 'D' end",
    },
    "training_rows": {"indices": "i.arrears_ratio", "bands": "i.arrears_ratio_band"},
}
# Of a model, with slots for whole queries: tests/unit/grading/test_grade_query.py runs them on both.
GENERATED = {"customers_to_score", "scored_customers", "graded_customers", "customers_to_shock", "shocked_customers"}
SIDE_BY_SIDE = sorted(
    set(queries.files()) - GENERATED - {path.parent.name for path in CASES}
    | {"rule_facts", "default_status", "payment", "finance"}
)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_query_gives_on_spark_what_was_worked_out_by_hand(spark, path):
    assert fault(spark, path) is None


@pytest.fixture(scope="module")
def engines(spark, tmp_path_factory) -> Iterator[tuple[Engine, Engine]]:
    """DuckDB and Spark over a small utility with every table, and over what the steps bind."""
    with open_engine(Settings(home=tmp_path_factory.mktemp("duckdb"), threads=2)) as duck:
        tables = defaultdict(list)
        for name, batch in Utility(120, 20, MONTH).batches():
            tables[name].append(batch)
        bound = {name: pa.Table.from_batches(batches) for name, batches in tables.items()}
        bound |= decision_inputs.policy_tables(POLICY, MONTH) | {"families": families(POLICY)}
        bound["lake_begins"] = lake_begins(date(2025, 3, 1))
        bound["quarantined"] = pa.table({"table_name": ["bills", "outages"], "customer_id": ["C1", "C2"]})
        for name, table in bound.items():
            duck.bind_table(name, table)
        for name, text in STEP_TABLES.items():
            bound[name] = duck.fetch(compose(text, tuple(STEP_TABLES)[: tuple(STEP_TABLES).index(name)]), PARAMETERS)
            duck.bind_table(name, bound[name])
        for name, table in bound.items():
            spark.bind_table(name, table)
        yield duck, spark


def composed(name: str) -> Query:
    given = set(STEP_TABLES) - {name}
    return queries.query(name, **SLOTS[name]) if name in SLOTS else compose(f"select * from {name}", tuple(given))


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_a_query_gives_on_spark_what_it_gives_on_duckdb(engines, name):
    expected, found = (engine.fetch(composed(name), PARAMETERS) for engine in engines)
    assert expected.num_rows, "no row to compare"
    assert expected.column_names == found.column_names
    assert not differences(expected.to_pylist(), found.to_pylist())[:5]
