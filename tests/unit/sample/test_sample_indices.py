"""The sample utility has something to say in every index."""

import pytest

from pipeline.customers.index_query import indices_query
from pipeline.customers.parameters import parameters
from pipeline.engine.duckdb import _bound
from pipeline.engine.queries import compose
from pipeline.lake.known_records import families, lake_begins
from pipeline.month import RatingMonth

KNOWN_OF_FEW = {
    "residential": {"service_quality_sensitivity": 0.97, "social_credit_rating": 0.8},
    "non_residential": {
        "service_quality_sensitivity": 0.97,
        "social_credit_rating": 0.8,
        "power_factor_shortfall": 0.95,
        "calibration_on_schedule_rate": 0.9,
    },
}


@pytest.fixture(scope="module")
def rated(small, policy):
    """A connection with the table ``rated``: the indices of the last month, of 6,000 customers."""
    connection = small.cursor()
    connection.execute("set timezone = 'UTC'")
    connection.execute("create schema snapshot")
    connection.execute(
        "create view snapshot.customers as select * from main.customers "
        "qualify row_number() over (partition by customer_id order by recorded_at desc) = 1"
    )
    connection.execute("set search_path = 'snapshot,main'")
    connection.register("families", families(policy))
    [(begins,)] = connection.execute("select min(billing_month) from bills").fetchall()
    connection.register("lake_begins", lake_begins(begins))
    bound = parameters(policy, RatingMonth(2026, 10))
    slopes = compose("select * from satisfaction_slope_by_segment")
    connection.execute(f"create table segment_slopes as {slopes.sql()}", _bound(slopes, bound))
    query = indices_query(policy, policy.indices)
    connection.execute(f"create table rated as {query.sql()}", _bound(query, bound))
    return connection


@pytest.mark.parametrize("family", KNOWN_OF_FEW)
def test_every_index_of_a_family_tells_its_customers_apart(rated, policy, family):
    for name, index in policy.indices.items():
        if not index.is_for(family):
            continue
        [(values, missing)] = rated.execute(
            f"select count(distinct {name}), avg({name}_missing::integer) from rated where family = ?", [family]
        ).fetchall()
        assert values >= 3, name
        assert missing <= KNOWN_OF_FEW[family].get(name, 0.5), name
        assert index.missing_when is None or missing > 0, name


def test_credit_shows_in_the_indices_that_tell_of_it(rated, policy):
    """On the whole, who pays badly is also worse in statements, violations and ratings."""
    seen = ("asset_liability_ratio", "return_on_net_assets", "violation_severity", "social_credit_rating")
    for name in seen:
        sign = 1 if policy.indices[name].direction == "+" else -1
        [(correlation,)] = rated.execute(
            f"select corr({sign} * {name}, on_time_payment_rate) from rated where not {name}_missing"
        ).fetchall()
        assert correlation > 0, name
