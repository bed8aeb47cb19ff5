"""What the policy makes of the index queries: families, what stands for a missing value, thin files, refusals."""

from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from pipeline.customers.index_query import UNSCORED_TABLES, indices_query
from pipeline.customers.parameters import parameters
from pipeline.engine import open_engine
from pipeline.engine.queries import compose
from pipeline.errors import ConfigError
from pipeline.lake.known_records import families, lake_begins
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.source import contract
from pipeline.source.write import arrow_schema
from tests.support.records.billing import bill, customer
from tests.support.records.one_firm import firm

OCTOBER = RatingMonth(2026, 10)


@pytest.fixture
def load(tmp_path):
    """Load the default policy with this text over it."""

    def run(text: str) -> Policy:
        (tmp_path / "policy.yaml").write_text(text)
        return Policy.load(tmp_path / "policy.yaml")

    return run


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Records in, the indices of October 2026 by customer_id out."""
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:

        def run(policy, absent=(), slopes=None, **tables):
            for name in contract():
                engine.bind_table(name, pa.Table.from_pylist(tables.get(name, []), arrow_schema(name)))
            engine.bind_table("families", families(policy))
            engine.bind_table("lake_begins", lake_begins(OCTOBER.first_day))
            schema = pa.schema({"segment": pa.string(), "slope": pa.float64()})
            known = [{"segment": segment, "slope": slope} for segment, slope in (slopes or {}).items()]
            engine.bind_table("segment_slopes", pa.Table.from_pylist(known, schema))
            query = indices_query(policy, policy.indices, absent)
            found = engine.fetch(query, parameters(policy, OCTOBER)).to_pylist()
            return {row["customer_id"]: row for row in found}

        yield run


def statement(customer_id: str) -> dict:
    money = {name: Decimal(10) for name in ("total_assets", "total_liabilities", "current_assets")}
    money |= {name: Decimal(10) for name in ("current_liabilities", "net_profit", "average_net_assets")}
    published = {"period_end": date(2026, 6, 30), "published_on": date(2026, 9, 30)}
    return {"statement_id": customer_id, "customer_id": customer_id, **published, **money}


def test_an_index_of_other_families_is_null_whatever_the_records_say(rows, policy):
    found = rows(policy, customers=[firm(1), customer(2)], financial_statements=[statement("C001"), statement("C002")])
    firms, homes = found["C001"], found["C002"]
    assert (firms["current_ratio"], firms["current_ratio_missing"], firms["current_ratio_band"]) == (1.0, False, "C")
    assert firms["calibration_on_schedule_rate"] == 1.0
    for name in set(policy.scored("non_residential")) - set(policy.scored("residential")):
        assert (homes[name], homes[f"{name}_missing"], homes[f"{name}_band"]) == (None, True, None)


def test_a_segment_of_no_family_has_the_indices_of_all_and_no_others(rows, load):
    policy = load("families: {non_residential: [industrial]}")
    found = rows(policy, customers=[customer(1, segment="public")], financial_statements=[statement("C001")])["C001"]
    assert (found["family"], found["current_ratio"], found["current_ratio_missing"]) == (None, None, True)
    assert found["decayed_delinquency"] == 0.0


def test_the_query_may_say_what_stands_for_a_missing_value(rows, load, policy):
    found = rows(policy, customers=[firm(1), customer(2)], slopes={"residential": 0.75})
    stood_in = [found[name]["service_quality_sensitivity"] for name in ("C001", "C002")]
    assert stood_in == [None, 0.75]
    assert [found[name]["service_quality_sensitivity_missing"] for name in ("C001", "C002")] == [True, True]
    assert [found[name]["service_quality_sensitivity_band"] for name in ("C001", "C002")] == [None, "C"]
    assert (found["C001"]["outage_sensitivity"], found["C001"]["outage_sensitivity_missing"]) == (0.5, True)
    prior = load("index_parameters: {outage_prior: {reports: 1, outages: 4}}")
    assert rows(prior, customers=[firm(1)])["C001"]["outage_sensitivity"] == 0.25


def test_without_a_table_it_needs_an_index_is_null_and_nothing_stands_for_it(rows, policy):
    whole = rows(policy, customers=[firm(1)])["C001"]
    found = rows(policy, {"violations", "service_contacts"}, customers=[firm(1)])["C001"]
    assert whole["violation_severity"] == 0.0
    for name in ("violation_severity", "outage_sensitivity"):
        assert (found[name], found[f"{name}_missing"], found[f"{name}_band"]) == (None, True, None)
    assert found["grid_accident_impact"] == 0.0


def test_only_the_indices_that_are_asked_for_are_measured(policy):
    query = indices_query(policy, ["arrears_ratio"])
    assert "satisfaction_surveys" not in query.tables
    assert "financial_statements" not in query.tables


def bills_of(number, months, **changed):
    return [bill(number, OCTOBER - back, due_on=date(2026, 10, 20), **changed) for back in range(1, months + 1)]


@pytest.mark.parametrize(
    ("months", "kwh", "required", "is_thin"),
    [
        (3, Decimal(100), "[payment, consumption]", False),
        (2, Decimal(100), "[payment, consumption]", True),
        (3, None, "[payment, consumption]", True),
        (3, None, "[payment]", False),
        (3, Decimal(100), "[payment, social]", True),
    ],
)
def test_a_file_is_thin_with_few_bills_or_where_a_whole_required_group_is_missing(
    rows, load, months, kwh, required, is_thin
):
    policy = load(f"required_groups: {required}")
    found = rows(policy, customers=[customer(1)], bills=bills_of(1, months, kwh=kwh))
    assert found["C001"]["is_thin_file"] == is_thin


def test_a_required_group_counts_for_the_families_it_is_for(rows, load):
    policy = load("required_groups: [finance]")
    found = rows(
        policy,
        customers=[firm(1), firm(2), customer(3)],
        bills=[one for number in (1, 2, 3) for one in bills_of(number, 3)],
        financial_statements=[statement("C002")],
    )
    assert [row["is_thin_file"] for row in found.values()] == [True, False, False]


def test_a_window_of_the_policy_is_the_window_of_the_query(rows, load, policy):
    late = bill(1, OCTOBER - 8, due_on=date(2026, 3, 20))
    customers = {"customers": [customer(1)], "bills": [late]}
    assert rows(policy, **customers)["C001"]["amount_weighted_days_late"] > 200
    shorter = load("indices: {amount_weighted_days_late: {window_months: 7}}")
    assert rows(shorter, **customers)["C001"]["amount_weighted_days_late"] is None


REFUSED = {
    "indices: {arrears_ratio: {group: violations}}": "group violations is the name of a source table: rename the group",
    "indices: {arrears_ratio: {group: consumption}}": "arrears_ratio: sql/lake/indices/consumption.sql returns no col",
    "indices: {arrears_ratio: {missing: fallback}}": "indices/payment.sql returns no column arrears_ratio_fallback",
    "indices: {arrears_ratio: {needs: [omens]}}": "policy indices.arrears_ratio.needs: omens is no optional source ta",
    "indices: {arrears_ratio: {needs: [bills]}}": "policy indices.arrears_ratio.needs: bills is no optional source ta",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_policy_that_does_not_fit_the_queries_is_one_clear_line(load, text):
    with pytest.raises(ConfigError) as raised:
        indices_query(load(text), ["avg_monthly_kwh"])
    assert REFUSED[text] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nothing_that_is_scored_rests_on_what_customers_say_of_the_service(policy):
    for index in policy.indices.values():
        reads = compose(f"select * from {index.group}").tables
        assert index.enters_score == reads.isdisjoint(UNSCORED_TABLES)


def test_an_index_that_reads_complaints_cannot_be_scored_under_any_name(policy):
    """The policy refuses group service itself; whatever the group, the tables its query reads give it away."""
    scored = policy.indices["outage_sensitivity"].model_copy(update={"enters_score": True})
    policy = policy.model_copy(update={"indices": policy.indices | {"outage_sensitivity": scored}})
    with pytest.raises(
        ConfigError, match=r"reads outages, satisfaction_surveys, service_contacts, and nothing of that"
    ):
        indices_query(policy, ["avg_monthly_kwh"])
