"""Each measure from records to the outbox; what is blocked, withdrawn and decided once."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from pipeline.actions.channels.letters import Letters
from pipeline.actions.measures import measure_queries
from pipeline.actions.measures.decision_inputs import period
from pipeline.actions.outbox import propose
from pipeline.engine import queries
from pipeline.engine.duckdb import DuckDBEngine
from pipeline.errors import ConfigError, MonthError
from pipeline.lake import Lake
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from tests.support.documented_project import MEASURE, documented_project
from tests.support.records.lake import quarantine
from tests.support.records.small_utility import MONTH, Town, bill, event, noon, payment

PUNITIVE = ("late_fee", "disconnection_proposal", "collection", "inspection", "visit")


def violation(customer: str, detected_on: str) -> dict:
    return {
        "violation_id": f"V-{customer}-{detected_on}",
        "customer_id": customer,
        "violation_type": "theft",
        "detected_on": date.fromisoformat(detected_on),
        "recorded_at": event(customer, "", detected_on)["recorded_at"],
    }


def registered(customer: str, **changed) -> dict:
    """The arrears register at the end of the month."""
    return {
        "customer_id": customer,
        "as_of": date(2026, 10, 31),
        "amount_overdue": Decimal("100"),
        "days_past_due": 50,
        "late_fee": Decimal(0),
        "is_disputed": False,
        "is_on_payment_plan": False,
        "recorded_at": event(customer, "", "2026-10-31")["recorded_at"],
    } | changed


@pytest.fixture
def town(module_house) -> Town:
    module_house.empty()
    return Town(module_house.settings, module_house.policy)


def test_valuable_customers_are_served(town):
    top = {"value_group": "high value"}
    town = town.settled(
        {
            "falling": {"grade": "AA", "consumption_trend": -0.18},
            "good": {"grade": "AAA", **top},
            "large": {"grade": "B", "segment": "industrial", "contract_capacity_kva": Decimal("800"), **top},
            "small": {"grade": "B", "contract_capacity_kva": Decimal("10"), **top},
            "usual": {"grade": "B", "consumption_trend": -0.5},
        }
    )
    town.decide()
    for measure in ("account_manager", "onsite_service"):
        assert town.who(measure) == ["good", "large", "small"]
    [(_, _, payload)] = town.actions("grid_support_review")
    assert payload == {"customer_group": "high value", "contract_capacity_kva": "800.000"}
    assert town.actions("relationship_task") == [("good", "proposed", {"grade": "AAA"})]
    assert town.actions("retention") == [("falling", "proposed", {"grade": "AA", "consumption_trend": "-18%"})]


def test_no_price_concession_comes_from_a_grade(town):
    """The best of customers, in whose accounts there is nothing to repay, get care and never money."""
    best = {"grade": "AAA", "value_group": "high value", "consumption_trend": -0.5, "outage_sensitivity": 0.9}
    town = town.settled({f"c{n}": best | {"revenue": n} for n in range(20)}, bills=[bill("c1", "2026-10-20")])
    decided = town.decide()["decided"]
    assert decided["relationship_task"] == 20
    money = {"rebate", "earned", "credit", "discount", "price", "fee", "daily_rate", "clawback"}
    assert not [payload for _, _, payload in town.actions() if payload.keys() & money and payload.get("fee") is None]
    assert {name for name in decided if decided[name]} <= {
        *("account_manager", "onsite_service", "relationship_task", "retention", "emergency_supply", "late_fee"),
    }


def test_the_most_outage_sensitive_tenth_without_backup_is_offered_one(town):
    people = {f"c{n:02}": {"outage_sensitivity": n / 100} for n in range(20)}
    people["c19"] |= {"has_backup_supply": True}
    people["c20"] = {}
    town = town.settled(people)
    town.decide()
    assert [(name, payload["outage_sensitivity"]) for name, _, payload in town.actions("emergency_supply")] == [
        ("c18", "0.18")
    ]


def test_poor_payers_in_arrears(town):
    town = town.settled(
        {
            "b": {"grade": "B"},
            "c": {"grade": "C"},
            "d": {"grade": "D"},
            "little": {"grade": "D"},
            "paid": {"grade": "D"},
            "thief": {"grade": "C"},
        },
        bills=[
            *(bill(name, "2026-08-20") for name in ("b", "d", "paid")),
            bill("c", "2026-10-10"),
            bill("d", "2026-09-20", "50.50"),
            bill("little", "2026-08-20", "9.99"),
        ],
        payments=[payment("paid", "2026-09-15", "100.00")],
        violations=[violation("thief", "2024-11-01"), violation("b", "2026-05-01"), violation("d", "2024-10-31")],
    )
    town.decide()
    assert {name: p for name, _, p in town.actions("responsibility_notice")} == {
        "c": {"amount_overdue": "100.00", "days_past_due": 22},
        "d": {"amount_overdue": "150.50", "days_past_due": 73},
        "little": {"amount_overdue": "9.99", "days_past_due": 73},
    }
    assert town.actions("visit") == [
        ("c", "proposed", {"grade": "C", "amount_overdue": "100.00"}),
        ("d", "proposed", {"grade": "D", "amount_overdue": "150.50"}),
    ]
    assert town.actions("collection") == [
        ("d", "proposed", {"grade": "D", "amount_overdue": "150.50", "days_past_due": 73})
    ]
    assert town.actions("inspection") == [("thief", "proposed", {"grade": "C", "violations": 1})]


def test_habitual_default_is_followed_up(town):
    kinds = ("overdue_notice", "returned_payment", "plan_broken")
    events = [
        *(event("often", kind, "2026-05-02") for kind in kinds),
        *(
            event("agreed", kind, "2026-05-02")
            for kind in ("overdue_notice", "plan_agreed", "plan_broken", "reconnection")
        ),
        *(
            event("long ago", kind, day)
            for kind, day in zip(kinds, ("2025-10-31", "2025-11-01", "2026-01-01"), strict=True)
        ),
    ]
    town = town.settled({"often": {}, "agreed": {}, "long ago": {}}, collection_events=events)
    town.decide()
    assert town.actions("habitual_default_followup") == [
        ("often", "proposed", {"delinquencies": 3, "amount_overdue": "0.00"})
    ]


class TestLateFee:
    def fees(self, town) -> dict[str, tuple]:
        return {
            name: (p["fee"], p["daily_rate"], p["amount_overdue"], p["days_past_due"])
            for name, _, p in town.actions("late_fee")
        }

    def test_by_tariff_and_day(self, town):
        people = {name: {} for name in ("all", "first", "paid", "parts", "due")} | {"firm": {"segment": "commercial"}}
        town = town.settled(
            people,
            bills=[
                bill("all", "2026-09-10"),
                bill("first", "2026-10-30"),
                bill("paid", "2026-10-10"),
                bill("parts", "2026-10-10"),
                bill("due", "2026-10-31"),
                bill("firm", "2026-10-21", "1234.56"),
            ],
            payments=[
                payment("paid", "2026-10-15", "100"),
                payment("parts", "2026-10-16", "60", "B-parts-2026-10-10-1"),
                payment("parts", "2026-10-26", "40", "B-parts-2026-10-10-1"),
            ],
        )
        town.decide()
        assert self.fees(town) == {
            "all": ("3.10", "0.1%", "100.00", 51),  # the 31 days of October
            "first": ("0.10", "0.1%", "100.00", 1),
            "paid": ("0.50", "0.1%", "100.00", 5),
            "parts": ("1.00", "0.1%", "100.00", 16),  # 6 days of 100 and 10 of 40
            "firm": ("24.69", "0.2%", "1234.56", 10),
        }

    def test_across_the_year_end(self, town):
        january = RatingMonth(2027, 1)
        town = town.settled(
            {"firm": {"segment": "commercial"}, "home": {}},
            month=january,
            bills=[bill("firm", "2026-12-20"), bill("firm", "2027-01-21"), bill("home", "2026-12-20")],
        )
        town.decide(january)
        assert self.fees(town) == {
            "firm": ("11.30", "0.2% and 0.3%", "200.00", 42),  # 31 days at 0.3%, 10 at 0.2%
            "home": ("3.10", "0.1%", "100.00", 42),
        }

    def test_the_fees_of_all_months_are_the_fee_of_the_debt(self, town):
        bills, paid = (
            [bill("a", "2026-08-07", "333.33")],
            [payment("a", "2026-09-19", "111.11"), payment("a", "2026-10-12", "222.22")],
        )
        total = Decimal(0)
        for month in RatingMonth.span(RatingMonth(2026, 8), RatingMonth(2026, 11)):
            there = town.settled({"a": {}}, month=month, bills=bills, payments=paid)
            there.decide(month)
        total = sum(Decimal(p["fee"]) for _, _, p in there.actions("late_fee"))
        exact = Decimal("333.33") * 43 * Decimal("0.001") + Decimal("222.22") * 23 * Decimal("0.001")
        assert abs(total - exact) <= Decimal("0.015")  # three months, each rounded to the cent

    def test_what_last_month_charged_stays_due(self, town):
        october = town.settled({"a": {}}, bills=[bill("a", "2026-10-10")])
        october.decide()
        november = october.settled(
            {"a": {}}, month=MONTH + 1, bills=[bill("a", "2026-10-10")], payments=[payment("a", "2026-10-15", "100")]
        )
        november.decide(MONTH + 1)
        assert [status for _, status, _ in november.actions("late_fee")] == ["proposed"]


def test_disconnection_is_proposed_after_the_days_of_the_notice_and_waits_for_a_person(town):
    people = {name: {} for name in ("short", "unnoticed", "new notice", "noticed", "off", "back")}
    people |= {"firm": {"segment": "commercial"}, "new firm": {"segment": "commercial"}}
    bills = [bill(name, "2026-09-20") for name in people if name != "short"] + [bill("short", "2026-10-02")]
    events = [event(name, "overdue_notice", "2026-10-05") for name in ("short", "noticed", "off", "back")]
    town = town.settled(
        people,
        bills=bills,
        collection_events=[
            *events,
            event("unnoticed", "overdue_notice", "2026-09-19"),  # of an older debt
            event("new notice", "overdue_notice", "2026-10-25"),
            event("firm", "overdue_notice", "2026-10-28"),
            event("new firm", "overdue_notice", "2026-10-29"),
            event("off", "disconnection", "2026-10-20"),
            event("back", "disconnection", "2026-06-20"),
            event("back", "reconnection", "2026-07-20"),
        ],
    )
    town.decide()
    found = {name: payload for name, _, payload in town.actions("disconnection_proposal")}
    assert found.keys() == {"noticed", "back", "firm"}
    assert found["noticed"] == {
        "amount_overdue": "100.00",
        "days_past_due": 42,
        "notified_on": "2026-10-05",
        "notice_days": 7,
    }
    assert found["firm"]["notice_days"] == 3
    town.dispatch()
    assert town.who("disconnection_proposal") == ["back", "firm", "noticed"]


@pytest.mark.parametrize(
    ("protections", "first"),
    [
        (("life_support", "protected", "moratorium", "dispute", "payment_plan"), "life_support"),
        (("protected", "moratorium", "dispute", "payment_plan"), "protected"),
        (("moratorium", "dispute", "payment_plan"), "moratorium"),
        (("dispute", "payment_plan"), "dispute"),
        (("payment_plan",), "payment_plan"),
    ],
)
def test_who_is_protected_is_not_punished_and_the_first_protection_says_why(town, protections, first):
    person = {
        "grade": "D",
        "is_life_support": "life_support" in protections,
        "is_protected": "protected" in protections,
    }
    held = {name: person for name in ("a",)} | {"b": {"grade": "D", "segment": "public"}}
    register = [registered("a", is_disputed="dispute" in protections, is_on_payment_plan="payment_plan" in protections)]
    winter = {"first_day": "2026-11-15", "last_day": "2027-03-15", "segments": ["residential"]}
    protection = town.policy.measures.protection.model_dump(mode="json")
    winters = [winter] if "moratorium" in protections else []
    town = town.under_measures(protection=protection | {"moratoria": winters}).settled(
        held,
        bills=[bill(name, "2026-08-20") for name in held],
        arrears=register,
        collection_events=[event(name, "overdue_notice", "2026-09-05") for name in held],
        violations=[violation(name, "2026-05-01") for name in held],
    )
    found = town.decide()
    assert found["blocked"] == dict.fromkeys(PUNITIVE, 1) | {}
    for measure in PUNITIVE:
        assert [(name, status) for name, status, _ in town.actions(measure)] == [("a", first), ("b", "proposed")]
    assert town.who("responsibility_notice") == ["a", "b"]
    town.dispatch()
    [(blocked,)] = town.sql("select count(*) from report.action_queue where blocked_by = %s", first)
    assert blocked == len(PUNITIVE)
    grades = town.sql(
        "select customer_id, score, grade from rating.credit_grades where rating_month = %s order by 1", MONTH.first_day
    )
    assert grades == [("a", 600, "D"), ("b", 600, "D")]  # the gate looks at actions alone


@pytest.mark.parametrize("table", ["bills", "payments"])
def test_nothing_punitive_is_done_to_who_has_records_of_the_account_in_quarantine(town, table):
    held = {name: {"grade": "D"} for name in ("a", "b")}
    town = town.settled(
        held,
        bills=[bill(name, "2026-08-20") for name in held],
        payments=[payment(name, "2026-09-10", "1.00") for name in held],
        collection_events=[event(name, "overdue_notice", "2026-09-05") for name in held],
        violations=[violation(name, "2026-05-01") for name in held],
    )
    quarantine(Lake(town.settings.lake_path), table, RatingMonth(2026, 8 if table == "bills" else 9), [0])
    assert town.decide()["blocked"]
    for measure in PUNITIVE:
        found = {name: status for name, status, _ in town.actions(measure)}
        assert found["b"] == "proposed"
        assert found.get("a", "records_in_quarantine") == "records_in_quarantine"
    assert "a" in [name for name, _, _ in town.actions("inspection")]


def test_the_register_is_held_against_the_bills_and_the_difference_checked(town):
    """Of 300 overdue by the bills, which say more, 170 are not in the register as well: more than a twentieth."""
    people = {
        name: {"connected_on": date(2026, 8, 1)} for name in ("agrees", "bills", "differs", "register", "nothing")
    }
    town = town.settled(
        people,
        bills=[bill(name, "2026-08-20") for name in ("agrees", "bills", "differs")],
        arrears=[
            registered("agrees"),
            registered("differs", amount_overdue=Decimal("150")),
            registered("register", amount_overdue=Decimal("20.50")),
            registered("register", amount_overdue=Decimal("20"), recorded_at=noon("2026-10-31") + timedelta(hours=1)),
            registered("nothing", amount_overdue=Decimal(0)),
        ],
    )
    for _ in range(2):
        town.decide()
    assert town.sql(
        "select segment, outcome, customers, overdue_by_bills, overdue_by_register, difference "
        "from report.arrears_reconciliation order by outcome"
    ) == [
        ("residential", "agree", 1, 100, 100, 0),
        ("residential", "bills_only", 1, 100, 0, 100),
        ("residential", "differ", 1, 100, 150, 50),
        ("residential", "register_only", 1, 0, 20, 20),
    ]
    assert town.sql("select customer_id, outcome, difference from report.arrears_differences order by 1") == [
        ("bills", "bills_only", -100),
        ("differs", "differ", 50),
        ("register", "register_only", 20),
    ]
    check = (
        "select success, severity, rows_checked, rows_failed from ops.validation_results where table_name = 'arrears'"
    )
    assert town.sql(check) == [(False, "warn", 4, 3)]
    town.settled(people, bills=[bill("agrees", "2026-08-20")], arrears=[registered("agrees")]).decide()
    assert town.sql(check) == [(True, "warn", 1, 0)]
    town.settled(people, bills=[bill("agrees", "2026-08-20")]).decide()
    assert town.sql("select count(*) from report.arrears_reconciliation") == [(0,)]
    assert town.sql(check) == []


@pytest.mark.parametrize(
    ("events", "is_blocked"),
    [
        ([("plan_agreed", "2026-08-01")], True),
        ([("plan_agreed", "2026-08-01"), ("plan_broken", "2026-09-01")], False),
        ([("plan_broken", "2026-07-01"), ("plan_agreed", "2026-08-01")], True),
        ([("plan_agreed", "2026-04-30")], False),
    ],
)
def test_without_a_register_the_events_tell_of_a_plan(town, events, is_blocked):
    town = town.settled(
        {"a": {}}, bills=[bill("a", "2026-10-01")], collection_events=[event("a", *each) for each in events]
    )
    town.decide()
    assert [status for _, status, _ in town.actions("late_fee")] == ["payment_plan" if is_blocked else "proposed"]


def test_a_moratorium_that_is_over_blocks_nothing(town):
    protection = town.policy.measures.protection.model_dump(mode="json")
    over = {"first_day": "2026-10-01", "last_day": "2026-10-31", "segments": ["residential"]}
    town = town.under_measures(protection=protection | {"moratoria": [over]})
    town = town.settled({"a": {}}, bills=[bill("a", "2026-10-01")])
    town.decide()
    assert [status for _, status, _ in town.actions("late_fee")] == ["proposed"]


def test_decided_twice_changes_nothing_and_a_restatement_withdraws_what_is_no_longer_due(town):
    bills = [bill(name, "2026-08-20") for name in ("a", "b")]
    people = {"a": {"grade": "D"}, "b": {"grade": "D"}, "c": {"value_group": "high value"}}
    there = town.settled(people, bills=bills)
    first = there.decide()
    before = there.sql("select * from ops.service_actions order by action_id")
    assert there.decide() == first | {"changed": 0}
    assert there.sql("select * from ops.service_actions order by action_id") == before

    again = there.settled(people, bills=bills, payments=[payment("b", "2026-09-01", "100")])
    again.decide()
    assert again.who("visit") == ["a"]
    assert again.sql(
        "select customer_id, suppressed_by, reason from ops.service_actions "
        "where action_type = 'visit' and status = 'suppressed'"
    ) == [("b", "withdrawal", "no longer due in 2026-10")]
    assert again.who("account_manager") == ["c"]


def test_a_backfill_writes_its_actions_suppressed_and_the_next_month_makes_good_what_lasts(town):
    people = {"a": {"value_group": "high value", "grade": "D"}}
    there = town.settled(people, run_kind="backfill", bills=[bill("a", "2026-08-20")])
    there.decide()
    assert set(there.statuses()) == {"suppressed"}
    following = there.settled(people, month=MONTH + 1, bills=[bill("a", "2026-08-20")])
    following.decide(MONTH + 1)
    assert following.who("account_manager") == ["a"]
    assert following.who("visit") == ["a"]
    assert len(following.actions("visit")) == 1


def test_what_was_withdrawn_stays_so_from_the_first_month_on(town):
    """A month costs what it changes, and not what all months before it have withdrawn."""
    people, bills = {"a": {"grade": "D"}}, [bill("a", "2026-08-20")]
    there = town.settled(people, bills=bills)
    there.decide()
    paid = [payment("a", "2026-11-02", "100")]
    following = there.settled(people, month=MONTH + 1, bills=bills, payments=paid)
    following.decide(MONTH + 1)
    later = following.settled(people, month=MONTH + 2, bills=bills, payments=paid)
    later.decide(MONTH + 2)
    withdrawn = "select reason from ops.service_actions where action_type = 'visit' and suppressed_by = 'withdrawal'"
    assert later.sql(withdrawn) == [("no longer due in 2026-11",)]


def test_an_old_action_that_is_still_due_is_noted_once_a_year(town):
    """Retention keeps it by that, or the debt would be collected a second time."""
    people, bills = {"a": {"grade": "D"}}, [bill("a", "2026-08-20")]
    there = town.settled(people, bills=bills)
    there.decide()
    there.sql("update ops.service_actions set status = 'acknowledged' where action_type = 'collection'")
    noted = "select distinct still_due_in from ops.service_actions where action_type = 'collection'"
    for months, expected in ((12, None), (13, MONTH + 13), (14, MONTH + 13), (26, MONTH + 26)):
        there = there.settled(people, month=MONTH + months, bills=bills)
        there.decide(MONTH + months)
        assert there.sql(noted) == [(expected and expected.first_day,)]
    assert there.sql("select count(*) from ops.service_actions where still_due_in is not null") == [(1,)]


def test_a_measure_that_the_policy_takes_away_is_withdrawn(town):
    people, bills = {"a": {"grade": "D"}}, [bill("a", "2026-08-20")]
    there = town.settled(people, bills=bills)
    there.decide()
    there.under_measures(visit=None, late_fee=None).decide()
    assert (there.who("visit"), there.who("late_fee")) == ([], [])
    assert there.who("collection") == ["a"]


def test_a_month_that_is_not_published_has_no_measures(town):
    with pytest.raises(MonthError, match="2026-10 is not published, so no actions follow from it"):
        town.decide()


def test_every_query_of_a_measure_has_a_policy_and_an_action_type(policy):
    measures = measure_queries.names(policy)
    assert set(PUNITIVE) < set(measures) <= set(policy.actions.types)
    assert measures == [name for name in policy.measures.sections() if name in measures], "the order is the policy's"


class TestOwn:
    """Measures of a utility's own folder."""

    @pytest.fixture
    def own(self, town, tmp_path, monkeypatch):
        """``own(policy_entry, query)``: the town with the documented measure, or another of its name."""
        project = documented_project(tmp_path / "project")
        monkeypatch.setenv("GRIDGRADE_PROJECT", str(project))

        def adapted(entry=None, query=None) -> Town:
            if query:
                (project / "sql" / "lake" / "measures" / f"{MEASURE}.sql").write_text(query)
                queries._parsed.cache_clear()
            own = Policy.load(project / "policy.yaml").model_dump(mode="json")
            if entry is not None:
                own["measures"][MEASURE] = entry
            return Town(town.settings, Policy(**own))

        yield adapted
        queries._parsed.cache_clear()

    def test_one_is_a_query_a_policy_entry_a_letter_and_no_line_of_python(self, own):
        people = {"much": {"grade": "C"}, "little": {"grade": "C"}, "best": {"grade": "AA"}}
        debts = [bill("much", "2026-08-20", "250.00"), bill("little", "2026-08-20"), bill("best", "2026-08-20", "900")]
        there = own().settled(people, bills=debts)
        decided = there.decide()["decided"]
        assert list(decided)[-1] == MEASURE
        payload = {"amount_overdue": "250.00", "desk": "hardship desk"}
        assert there.actions(MEASURE) == [("much", "proposed", payload)]
        letter = Letters(there.policy).write(
            MEASURE, action_id="id", customer_id="much", month=MONTH, reason="", payload=payload
        )
        assert "shows 250.00 overdue. Ask our hardship desk for a plan" in letter.text
        there.under_measures(**{MEASURE: None}).decide()
        assert there.who(MEASURE) == []

    def test_a_protection_can_block_one(self, own):
        there = own()
        protection = there.policy.measures.protection.model_dump(mode="json")
        there = there.under_measures(protection=protection | {"blocks": [*protection["blocks"], MEASURE]})
        people = {"much": {"grade": "C", "is_life_support": True}}
        there = there.settled(people, bills=[bill("much", "2026-08-20", "250.00")])
        there.decide()
        assert [status for _, status, _ in there.actions(MEASURE)] == ["life_support"]

    @pytest.mark.parametrize(("properties", "status"), [("", "suppressed"), ("-- Properties: stays_due.", "proposed")])
    def test_one_that_stays_due_outlives_its_month(self, own, properties, status):
        query = f"""-- Measure: one of the test.
            -- Reads bill_status. Parameters: {MEASURE}_period.
            {properties}
            select distinct customer_id, :{MEASURE}_period as subject, 'owes' as reason
            from bill_status
            where settled_on is null"""
        there = own({"every_months": 1}, "\n".join(line.strip() for line in query.splitlines()))
        first = there.settled({"a": {}}, bills=[bill("a", "2026-08-20")])
        first.decide()
        following = first.settled({"b": {}}, month=MONTH + 1, bills=[bill("b", "2026-08-20")])
        following.decide(MONTH + 1)
        assert [(name, status) for name, status, _ in following.actions(MEASURE)] == [("a", status), ("b", "proposed")]

    def test_one_in_ranges_is_the_same_as_one_at_once(self, own, monkeypatch):
        query = "select customer_id, '' as subject, 'owes' as reason, count(*) as bills from bill_status group by all"
        people = {f"c{number}": {} for number in range(5)}
        bills = [bill(name, day) for name in people for day in ("2026-08-20", "2026-09-20")]
        found = []
        for properties in ("", "-- Properties: in_ranges.\n"):
            monkeypatch.setattr(DuckDBEngine, "customers_at_once", 2)
            there = own({}, properties + query).settled(people, bills=bills)
            there.decide()
            found.append(there.actions(MEASURE))
        assert found[0] == found[1]
        assert [name for name, _, _ in found[0]] == sorted(people)

    def test_ids_and_payloads_are_made_of_whatever_a_query_returns(self, own):
        names = ['quote " back \\ slash', "comma, \u5ba2 '1'", "{brace}"]
        query = "select customer_id, segment as subject, region as reason, customers.* exclude (customer_id, segment) "
        there = own({}, query + "from customers").settled(
            {name: {"contract_capacity_kva": Decimal("1.10")} for name in names}
        )
        there.decide()
        found = there.sql(
            "select action_id::text, customer_id, payload from ops.service_actions where action_type = %s", MEASURE
        )
        assert sorted(name for _, name, _ in found) == sorted(names)
        for made, name, payload in found:
            assert made == propose.action_id(MEASURE, name, "residential")
            assert payload["feeder_id"] == "F1"
            assert payload["contract_capacity_kva"] == 1.1
            assert payload["closed_on"] is None
            assert payload["connected_on"] == "2015-01-01"

    def test_one_that_has_an_action_twice_is_refused_in_one_line(self, own):
        query = "select customer_id, '' as subject, 'owes' as reason from bill_status"
        there = own({}, query).settled({"a": {}}, bills=[bill("a", "2026-08-20"), bill("a", "2026-09-20")])
        with pytest.raises(
            ConfigError, match=rf"measures/{MEASURE}.sql returns customer a twice with one subject: an "
        ):
            there.decide()

    def test_what_is_no_measure_is_refused_in_one_line(self, own):
        for query, message in (
            ("-- Properties: for_ever.\nselect 1 as customer_id, 1 as subject, 1 as reason", "for_ever is no property"),
            ("select 1 as customer_id", "returns no subject; a measure returns customer_id, subject, reason and its"),
        ):
            there = own({}, query).settled({"a": {}})
            with pytest.raises(ConfigError, match=message):
                there.decide()


def test_periods_follow_the_calendar():
    found = [str(period(RatingMonth(2026, month), every)) for month, every in ((10, 12), (6, 6), (7, 6), (10, 1))]
    assert found == ["2026-01", "2026-01", "2026-07", "2026-10"]


class TestReports:
    def test_the_money_of_a_month_ties_to_its_records(self, town):
        bills = [
            bill("a", "2026-09-20", "100.10"),
            bill("a", "2026-10-20", "200.20"),
            bill("b", "2026-11-05", "50.05", issued_on=date(2026, 10, 16)),
        ]
        payments = [
            payment("a", "2026-10-05", "60.06", "B-a-2026-09-20-1"),
            payment("b", "2026-10-30", "0.01"),
            payment("a", "2026-10-06", "10.00", payment_id="wrong"),
            payment("a", "2026-10-08", "10.00", payment_id="back", reverses_payment_id="wrong"),
        ]
        people = {"a": {}, "b": {"segment": "commercial"}}
        september = town.settled(people, month=MONTH - 1, bills=bills, payments=payments)
        september.decide(MONTH - 1)
        october = september.settled(people, bills=bills, payments=payments)
        october.decide()
        columns = "billed, collected, receivable, overdue, average_receivable"
        before, now = october.sql(f"select {columns} from report.arrears_recovery order by rating_month")
        assert [str(value) for value in before[:4]] == ["100.10", "0.00", "100.10", "100.10"]
        assert before[4] is None
        assert [str(value) for value in now[:4]] == ["250.25", "60.07", "290.28", "240.24"]
        assert before[2] + now[0] - now[1] == now[2], "what was open, and billed, and not collected, is open"
        [(recovery, turnover)] = october.sql(
            "select recovery_rate, turnover from report.arrears_recovery where rating_month = '2026-10-01'"
        )
        assert float(recovery) == pytest.approx(60.07 / 250.25)
        assert float(turnover) == pytest.approx(250.25 / ((100.10 + 290.28) / 2))

    def test_nobody_is_served_below_the_standard(self, town):
        large = {"segment": "industrial", "contract_capacity_kva": 400}
        town = town.settled(
            {
                "large": large | {"grade": "D"},
                "managed": {"grade": "AAA", "value_group": "high value"},
                "usual": {"grade": "D"},
                "other": {"grade": "D"},
            }
        )
        town.decide()
        rows = town.sql(
            "select customer_size, grade, customers, required_level, provided_level, gap, is_below_standard "
            "from report.service_gap order by 1, 2"
        )
        assert rows == [
            ("average", "AAA", 1, "personalized", "solved as soon as possible", 1, False),
            ("average", "D", 2, "personalized", "personalized", 0, False),
            ("large", "D", 1, "solved as soon as possible", "solved as soon as possible", 0, False),
        ]
        assert town.sql("select sum(customers) from ops.service_levels") == [(4,)]

    def test_the_queue_puts_the_most_urgent_first_and_says_nothing_of_a_customer_but_the_id(self, town):
        town = town.settled({"a": {"grade": "D", "is_life_support": True}, "b": {"grade": "D"}}, bills=[
            bill("a", "2026-08-20"), bill("b", "2026-08-20")
        ])  # fmt: skip
        town.decide()
        town.dispatch()
        rows = town.sql("select action_type, customer_id, status, blocked_by from report.action_queue order by place")
        assert rows[0][0] == "collection"
        assert [row[2] for row in rows[-3:]] == ["blocked"] * 3
        assert {row[3] for row in rows[-3:]} == {"life_support"}
        assert len(rows) == town.sql("select count(*) from ops.service_actions")[0][0]
        town.sql("update ops.service_actions set status = 'acknowledged' where status = 'dispatched'")
        assert "dispatched" not in {status for (status,) in town.sql("select status from report.action_queue")}
        columns = town.sql("select column_name from information_schema.columns where table_name = 'action_queue'")
        assert "payload" not in {name for (name,) in columns}
