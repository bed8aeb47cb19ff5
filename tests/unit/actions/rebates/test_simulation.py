"""A campaign tried on months that are over: it costs what it would have cost, and changes nothing."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.actions.rebates.propose import propose_rebates
from pipeline.actions.rebates.simulation import Plan, simulate, total
from pipeline.errors import ConfigError, MonthError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from tests.support.billing_simulation import bill, histories, payment
from tests.support.records.actions import Utility

JANUARY, FEBRUARY, MARCH, APRIL, MAY = (RatingMonth(2026, number) for number in range(1, 6))
TERMS = {"share": 0.5, "rate": 0.1, "cap": 8}


AMOUNTS = {"a": "100", "b": "200", "c": "50"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A lake without a warehouse. a pays 100 of 100 in March, of which 40 are taken back in May, and 30 for the bill of
    that month; b pays 60 of 200 in March and 140 in April; c pays nothing of 50."""
    settings = Settings(home=tmp_path_factory.mktemp("simulated"), threads=2)
    bills = [bill(f"b{name}", name, amount, date(2026, 1, 5), date(2026, 1, 20)) for name, amount in AMOUNTS.items()]
    bills.append(bill("next", "a", "30", date(2026, 3, 1), date(2026, 3, 20)))
    payments = [
        payment("p1", "a", "100", date(2026, 3, 3), names="ba"),
        payment("p2", "a", "30", date(2026, 3, 4), names="next"),
        payment("p3", "b", "60", date(2026, 3, 5)),
        payment("p4", "b", "140", date(2026, 4, 5)),
        payment("back", "a", "40", date(2026, 5, 2), names="ba", reverses="p1"),
    ]
    Utility(settings).record(JANUARY, MAY, bills, payments)
    return settings


def test_months_worked_out_by_hand(settings, policy):
    rows = simulate(Plan.of(policy, None, **TERMS), MARCH, APRIL, settings, policy)
    march, april = rows
    assert march == {
        "first_month": "2026-03",
        "last_month": "2026-03",
        "customers_in_arrears": 3,
        "customers_rewarded": 1,
        "opening_arrears": "350.00",
        "received": "190.00",
        "repaid": "160.00",
        "earned": "8.00",
        "rebate": "8.00",
        "clawback": "2.00",
        "elsewhere": "30.00",
        "cost": "6.00",
        "recovery_rate": pytest.approx(160 / 350),
    }
    assert (april["opening_arrears"], april["repaid"], april["rebate"]) == ("190.00", "140.00", "8.00")
    assert (total(rows)["cost"], total(rows)["received"]) == ("14.00", "330.00")


def test_a_campaign_of_several_months(settings, policy):
    [row] = simulate(Plan.of(policy, None, 2, **TERMS), MARCH, MAY, settings, policy)
    assert (row["first_month"], row["last_month"]) == ("2026-03", "2026-04")
    assert (row["repaid"], row["rebate"], row["clawback"]) == ("300.00", "16.00", "2.00")
    [cut] = simulate(Plan.of(policy, None, 2, budget=9, **TERMS), MARCH, MAY, settings, policy)
    assert (cut["earned"], cut["rebate"], cut["customers_rewarded"]) == ("16.00", "9.00", 2)


def test_a_campaign_of_the_policy_with_other_terms(policy, holding):
    spring = holding({"name": "spring", "first_month": "2026-03", "last_month": "2026-05", "budget": 1000})
    assert Plan.of(spring, "spring", rate=0.2) == Plan(
        "spring", 3, Decimal("0.5"), Decimal("0.2"), Decimal("50.0"), Decimal("1000.0")
    )
    assert Plan.of(policy, "monthly").months == 1


@pytest.mark.parametrize(
    ("name", "changed", "fault"),
    [
        ("autumn", {}, "the policy has no campaign autumn; it has: monthly"),
        (None, {"rate": 0.1}, "a campaign without a name needs --share and --cap"),
        ("monthly", {"share": 2}, "share: should be less than or equal to 1"),
        (None, TERMS | {"budget": -1}, "budget: should be greater than or equal to 0"),
    ],
)
def test_terms_that_cannot_be(policy, name, changed, fault):
    with pytest.raises(ConfigError, match=f"^{fault}"):
        Plan.of(policy, name, **changed)


def test_months_that_cannot_be(settings, policy, tmp_path):
    plan = Plan.of(policy, "monthly")
    with pytest.raises(MonthError, match="2026-03 to 2026-06 cannot be simulated: the lake reaches from 2026-01 to 2"):
        simulate(plan, MARCH, MAY + 1, settings, policy)
    with pytest.raises(MonthError, match="the lake is empty; rate a month to fill it"):
        simulate(plan, MARCH, APRIL, Settings(home=tmp_path), policy)
    with pytest.raises(MonthError, match="a campaign of 3 months does not fit between 2026-04 and 2026-05"):
        simulate(Plan.of(policy, "monthly", 3), APRIL, MAY, settings, policy)


def test_the_command(gridgrade, settings, monkeypatch):
    monkeypatch.setenv("GRIDGRADE_LAKE", str(settings.lake_path))

    def tried(*arguments):
        return gridgrade("rebates", "simulate", *arguments, "--from", "2026-03", "--to", "2026-04")

    code, out, err = tried("monthly", "--rate", "0.1", "--cap", "8", "--json")
    outcome = json.loads(out)
    assert (code, err) == (0, "")
    assert [row["first_month"] for row in outcome["campaigns"]] == ["2026-03", "2026-04"]
    assert outcome["total"]["cost"] == "14.00"
    out = tried("--share", "0.5", "--rate", "0.1", "--cap", "8", "--months", "2")[1]
    assert "14.00" in out
    assert "…" not in out
    assert tried("autumn")[::2] == (1, "gridgrade: the policy has no campaign autumn; it has: monthly\n")


@trials(max_examples=2, deadline=None, suppress_health_check=[*HealthCheck])
@given(histories(), st.none() | st.integers(0, 20))
def test_a_month_costs_what_the_ledger_then_grants_and_takes_back(module_house, records, budget):
    module_house.empty()
    fresh = Utility(module_house.settings).anew()
    fresh.record(JANUARY, MAY, *records)
    campaign = TERMS | {"name": "monthly", "first_month": "2026-01", "budget": budget}
    policy = Policy(**module_house.policy.model_dump(mode="json") | {"rebate": {"campaigns": [campaign]}})
    [row] = simulate(Plan.of(policy, "monthly"), APRIL, APRIL, fresh.settings, policy)
    for table in ("arrears_rebates", "service_actions", "service_action_events"):
        assert module_house.sql(f"select count(*) from ops.{table}") == [(0,)]
    fresh.publish(APRIL, MAY)
    for month in (APRIL, MAY):
        propose_rebates(month, fresh.settings, policy)
    names = ("opening_arrears", "received", "repaid", "earned", "rebate", "clawback")
    sums = ", ".join(f"coalesce(sum({name}), 0.00)::text" for name in names)
    [held] = module_house.sql(f"select count(*), {sums} from ops.arrears_rebates where campaign = 'monthly-2026-04'")
    assert (row["customers_in_arrears"], *(row[name] for name in names)) == held
