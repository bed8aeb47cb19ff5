"""The DDL of sql/contract as tables, columns and checks."""

import duckdb
import pytest

from pipeline.errors import SourceContractError
from pipeline.source import Between, FirstOfMonth, InSet, NotBefore, contract, table


@pytest.fixture
def empty_rows():
    """An engine with every source table, each holding one row of nulls."""
    engine = duckdb.connect()
    for source in contract().values():
        columns = ", ".join(f"{column.name} {column.sql_type}" for column in source.columns)
        engine.execute(f"create table {source.name} ({columns})")
        engine.execute(f"insert into {source.name} ({source.columns[0].name}) values (null)")
    return engine


def test_three_tables_are_required_and_come_first():
    assert list(contract())[:3] == ["customers", "bills", "payments"]
    assert {name for name, source in contract().items() if source.is_required} == {"customers", "bills", "payments"}
    assert len(contract()) == 15


@pytest.mark.parametrize("name", contract())
def test_every_check_runs_on_the_engine_and_lets_nulls_pass(empty_rows, name):
    for check in table(name).checks:
        ((passed,),) = empty_rows.execute(f"select {check.sql} from {name}").fetchall()
        assert passed is not False, check.name


@pytest.mark.parametrize("name", contract())
def test_every_rule_is_about_columns_that_exist(name):
    source = table(name)
    mentioned = set(source.key) | {source.recorded_column}
    for check in source.checks:
        match check:
            case InSet(column=column) | Between(column=column) | FirstOfMonth(column=column):
                mentioned.add(column)
            case NotBefore(later=later, earlier=earlier):
                mentioned |= {later, earlier}
    for reference in source.references:
        mentioned.add(reference.column)
        assert reference.referred_column in contract()[reference.table].key
    assert mentioned <= set(source.column_names)
    assert source.key


def test_rules_keep_the_sense_of_the_ddl():
    checks = {check.name: check for source in contract().values() for check in source.checks}

    assert checks["bills_due_after_issued"].later == "due_on"
    assert checks["payments_paid_before_recorded"].later == "recorded_at"
    assert checks["payments_amount_is_positive"].strict_low
    assert not checks["bills_kvarh_is_not_negative"].strict_low
    assert (checks["grid_accidents_severity_in_range"].low, checks["grid_accidents_severity_in_range"].high) == (1, 4)
    assert "plan_broken" in checks["collection_events_type_is_known"].values
    assert table("bills").money_columns == ("amount",)
    assert table("billing_closes").recorded_column == "closed_at"
    assert [source.name for source in contract().values() if source.snapshot] == ["customers"]


def test_missing_columns_names_the_required_ones_only():
    assert table("payments").missing_columns(["payment_id", "customer_id", "paid_on"]) == ("amount", "recorded_at")


def test_a_table_outside_the_contract_is_refused_with_the_known_ones():
    with pytest.raises(SourceContractError, match="invoices is not a source table: they are customers, bills"):
        table("invoices")
