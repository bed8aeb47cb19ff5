"""Months rated again, in any order and with records that come late: what changes, what does not, and what is stale."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pytest

from pipeline.actions.rebates import propose
from pipeline.cycle import rate_month
from pipeline.errors import NotPublishedError
from pipeline.ingest import extract, validate
from pipeline.lake import Lake
from pipeline.maintenance.backfill import in_order, rerate_stale
from pipeline.month import RatingMonth
from pipeline.publishing.late_records import late_records
from pipeline.sample import LAST, generate
from pipeline.settings import Settings
from pipeline.source.write import arrow_schema
from pipeline.warehouse import overrides, publications
from pipeline.warehouse.connection import transaction
from tests.support.records.indices import MODELS, expert, register
from tests.support.records.lake import fill_lake

pytestmark = pytest.mark.trial

THEN, NOW = "as_known_then", "as_known_now"
NEED_THE_MONTH_BEFORE = {"notch_limit", "promotion_buffer", "violation", "broken_plan", "long_arrears"}


@pytest.fixture(scope="module")
def install(databases, policy, tmp_path_factory) -> Iterator[Callable[[Path], AbstractContextManager[Settings]]]:
    """``with install(lake) as settings``: a copy of the lake, a model, and nothing rated yet.

    The lake holds all there is: nothing is extracted, validated or given back.
    """

    @contextmanager
    def installed(lake: Path) -> Iterator[Settings]:
        with databases(tmp_path_factory.mktemp("again")) as settings:
            shutil.copytree(lake, settings.lake_path)
            for family, version in MODELS.items():
                register(settings, family, version, expert(policy))
            yield settings

    with pytest.MonkeyPatch.context() as patch:
        nothing = {"written": {}, "rows": {}, "quarantined": {}, "campaigns": {}, "changed": 0}
        for module, step in ((extract, "extract"), (validate, "validate"), (propose, "propose_rebates")):
            patch.setattr(module, step, lambda *inputs, **options: nothing)
        yield installed


@pytest.fixture(scope="module")
def rate(policy) -> Callable[..., list[dict]]:
    """``rate(settings, months, basis=...)``, one after another, as a backfill does."""

    def run(settings, months, **options):
        again = {"models": MODELS, "run_kind": "backfill", "accept_moves": True, **options}
        return list(in_order(list(months), lambda month: rate_month(month, settings, policy, **again), lambda *_: None))

    return run


@pytest.fixture(scope="module")
def rerated(policy) -> Callable[[Settings], list[RatingMonth]]:
    """``rerated(settings)``: rates what is stale, and says which months that were."""

    def run(settings):
        def rate(publication):
            again = {"models": publication.model_versions, "basis": publication.basis, "run_kind": "backfill"}
            return rate_month(publication.rating_month, settings, policy, accept_moves=True, **again)

        return [RatingMonth.parse(outcome["month"]) for outcome in rerate_stale(settings, rate, lambda *_: None)]

    return run


@pytest.fixture(scope="module")
def forward(install, rate, sample_lake):
    """The last three months of the sample, rated in their order. What is published of them may be replaced."""
    with install(sample_lake) as settings:
        rate(settings, RatingMonth.span(LAST - 2, LAST))
        yield settings, contents(settings), rows(settings)


def query(settings: Settings, statement: str, *parameters) -> list[tuple]:
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def contents(settings) -> dict[RatingMonth, str]:
    with transaction(settings) as connection:
        return {one.rating_month: one.content_sha256 for one in publications.published(connection)}


def stale(settings) -> list[RatingMonth]:
    with transaction(settings) as connection:
        return [one.rating_month for one in publications.stale(connection)]


def rows(settings) -> dict[tuple, tuple]:
    """(model_grade, grade, grade_rule) by (month, customer)."""
    found = query(
        settings, "select rating_month, customer_id, model_grade, grade, grade_rule from rating.credit_grades"
    )
    return {(month, customer): rest for month, customer, *rest in found}


def differ_only_where_rules_need_the_month_before(found, forward) -> int:
    """Holds the grades of months rated in another order against those of the right one; returns how many differ."""
    assert found.keys() == forward.keys()
    different = {key for key in found if found[key][1] != forward[key][1]}
    assert all(found[key][0] == forward[key][0] for key in found)
    assert {forward[key][2] for key in different} <= NEED_THE_MONTH_BEFORE
    return len(different)


@pytest.mark.slow
def test_backwards_is_as_forwards_where_no_rule_needs_the_month_before_and_everywhere_once_rerated(
    install, rate, rerated, sample_lake, forward
):
    _, expected, in_order = forward
    months = list(RatingMonth.span(LAST - 2, LAST))
    with install(sample_lake) as settings:
        outcomes = rate(settings, reversed(months))
        assert [outcome["publish"]["stale_months"] for outcome in outcomes] == [
            [],
            [str(LAST)],
            [str(LAST - 1), str(LAST)],
        ]
        assert differ_only_where_rules_need_the_month_before(rows(settings), in_order) > 10
        assert rerated(settings) == months[1:]
        assert stale(settings) == []
        assert contents(settings) == expected
        assert query(settings, "select rating_month, revision from ops.publications where superseded_at is null") == [
            (month.first_day, 1 if month == months[0] else 2) for month in months
        ]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twelve_months_in_any_order_come_out_the_same_once_rerated(install, rate, rerated, tmp_path):
    months = list(RatingMonth.span(LAST - 11, LAST))
    tables: dict[str, list[pa.RecordBatch]] = {}
    for name, batch in generate(600, 30):
        tables.setdefault(name, []).append(batch)
    lake = Lake(tmp_path / "lake")
    fill_lake(lake, {name: pa.Table.from_batches(batches) for name, batches in tables.items()}, *months)
    with install(lake.root) as settings:
        rate(settings, months)
        assert stale(settings) == []
        expected, in_order = contents(settings), rows(settings)
    shuffled = random.Random(12).sample(months, len(months))
    for order in (months[::-1], shuffled):
        with install(lake.root) as settings:
            rate(settings, order)
            assert differ_only_where_rules_need_the_month_before(rows(settings), in_order) > 10
            late = {month for at, month in enumerate(order) if set(order[at + 1 :]) & {month - 1}}
            assert late <= set(stale(settings))
            rerated(settings)
            assert stale(settings) == []
            assert contents(settings) == expected


LATE = {
    "payments of what was owed": """
        select 'P-' || bill_id as payment_id, customer_id, bill_id, date '2026-09-20' as paid_on, amount
        from bills as b
        where due_on between '2026-06-01' and '2026-08-31' and amount > 50 and cancels_bill_id is null
            and bill_id not in (select bill_id from payments where bill_id is not null)
            and bill_id not in (select cancels_bill_id from bills where cancels_bill_id is not null)
    """,
    "reversals of payments on time": """
        select 'R-' || payment_id as payment_id, p.customer_id, date '2026-09-20' as paid_on, p.amount,
            payment_id as reverses_payment_id
        from payments as p inner join bills as b on b.bill_id = p.bill_id and p.amount = b.amount
        where p.paid_on <= b.due_on and b.due_on between '2026-03-01' and '2026-08-31'
            and payment_id not in (select reverses_payment_id from payments where reverses_payment_id is not null)
    """,
    "cancellations of bills": """
        select 'X-' || bill_id as bill_id, customer_id, billing_month, date '2026-09-20' as issued_on,
            date '2026-10-10' as due_on, 0.00 as amount, false as is_estimated, bill_id as cancels_bill_id
        from bills
        where issued_on between '2026-03-01' and '2026-08-31' and amount > 0 and kwh > 0 and not is_estimated
            and bill_id not in (select cancels_bill_id from bills where cancels_bill_id is not null)
    """,
}
"""Records that the sample lacks, dated in September."""


@pytest.fixture(scope="module")
def late(sample, forward) -> dict[str, list[dict]]:
    """For each of LATE those of four customers who are rated, no customer twice, as recorded in November."""
    settings, _, _ = forward
    query_rated = "select array_agg(customer_id) from rating.credit_grades where rating_month = %s"
    [(eligible,)] = query(settings, query_rated, (LAST - 1).first_day)
    found = {}
    with duckdb.connect() as database:
        for name in ("bills", "payments"):
            database.register(name, sample[name])
        for what, records in LATE.items():
            drawn = database.sql(
                f"select * from ({records}) where list_contains($eligible, customer_id) "
                "qualify row_number() over (partition by customer_id) = 1 order by customer_id limit 4",
                params={"eligible": eligible},
            ).to_arrow_table()
            found[what] = [row | {"recorded_at": datetime(2026, 11, 9, tzinfo=UTC)} for row in drawn.to_pylist()]
            eligible = [customer for customer in eligible if customer not in drawn["customer_id"].to_pylist()]
    return found


def record(lake: Lake, late: dict[str, list[dict]]) -> None:
    """A November of these records alone; the customers are those of October."""
    tables: dict[str, list[dict]] = {"bills": [], "payments": []}
    for records in late.values():
        tables["payments" if "payment_id" in records[0] else "bills"] += records
    fill_lake(lake, {name: pa.Table.from_pylist(rows, arrow_schema(name)) for name, rows in tables.items()})
    for name in ("customers", "quarantine/customers"):
        with lake.writing(name, snapshot_month=LAST + 1) as partition:
            for file in lake.files(name, snapshot_month=LAST):
                shutil.copy(file, partition.folder)
            partition.manifest(rows=lake.manifest(name, snapshot_month=LAST)["rows"])


def changed(settings, table, month, before, after) -> set[str]:
    """The customers whose rows two revisions of a month do not agree on."""
    old, new = (f"rating.{table}_{month.year}_{month.month:02d}_r{revision}" for revision in (before, after))
    return {
        customer
        for (customer,) in query(
            settings,
            f"select customer_id from {old} as a full join {new} as b using (customer_id) "
            "where to_jsonb(a) - 'publication_id' is distinct from to_jsonb(b) - 'publication_id'",
        )
    }


def test_records_that_come_late_move_exactly_whom_they_touch_and_nothing_as_known_then(
    forward, rate, rerated, late, policy
):
    settings, expected, _ = forward
    month = LAST - 1
    rate(settings, [month], basis=NOW)
    record(Lake(settings.lake_path), late)
    [then] = rate(settings, [month], basis=THEN)
    assert then["publish"]["content_sha256"] == expected[month]
    rate(settings, [month], basis=NOW)

    touched = {row["customer_id"] for records in late.values() for row in records}
    assert len(touched) == 4 * len(LATE)
    assert changed(settings, "credit_indices", month, before=2, after=4) == touched
    assert changed(settings, "credit_grades", month, before=2, after=4) <= touched

    seen = late_records(month, settings, policy)
    assert (seen[THEN]["revision"], seen[THEN]["is_current"]) == (3, False)
    assert (seen[NOW]["revision"], seen[NOW]["is_current"], seen[NOW]["known_in"]) == (4, True, str(LAST + 1))
    [(rescored,)] = query(
        settings,
        "select array_agg(customer_id order by customer_id) from rating.credit_grades_2026_09_r3 as a "
        "inner join rating.credit_grades_2026_09_r4 as b using (customer_id) where a.score <> b.score",
    )
    assert sorted(move["customer_id"] for move in seen["moves"]) == rescored
    assert all(move["indices"] for move in seen["moves"])
    assert seen["totals"]["moved"] == sum(move["grade_before"] != move["grade_after"] for move in seen["moves"])
    assert seen["indices"]["P1"] >= 4

    assert stale(settings) == [LAST]
    assert rerated(settings) == [LAST]
    with pytest.raises(
        NotPublishedError, match=rf"{LAST} is not published as_known_now: gridgrade diff {LAST} --basis"
    ):
        late_records(LAST, settings, policy)


def test_a_month_that_comes_out_as_before_is_no_longer_stale(forward, rerated, policy):
    """The grade of somebody who has left by the next month changes: what that one carried over, not what it holds."""
    settings, _, _ = forward
    before = contents(settings)
    [(customer,), *_] = query(
        settings,
        "select customer_id from rating.credit_grades group by customer_id "
        "having max(rating_month) = %s and min(grade) <> 'D' and max(grade) <> 'D'",
        (LAST - 2).first_day,
    )
    decided = {"kind": "override", "grade": "D", "reason": "a test", "created_by": "a test"}
    overrides.add(settings, policy, customer_id=customer, **decided, first=LAST - 2, last=None)
    query(settings, "update ops.rating_overrides set created_at = '2020-01-01Z'")
    rated = rate_month(LAST - 2, settings, policy, models=MODELS)
    assert rated["publish"]["changed"]
    assert stale(settings) == [LAST - 1]
    assert rerated(settings) == [LAST - 1]
    assert contents(settings) == before | {LAST - 2: rated["publish"]["content_sha256"]}
