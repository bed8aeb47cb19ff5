"""One customer: found by id, explained, with the bills behind the grade and what was known when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import text

from pipeline.console.queries import rows
from pipeline.errors import LakeError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse import publications, revisions
from pipeline.warehouse.connection import transaction

MOST_FOUND = 20
MOST_ACTIONS = 50
BILLS_SHOWN = 12


def find(settings: Settings, wanted: str) -> list[dict[str, Any]]:
    """Customers of the latest published month whose id holds ``wanted``, at most MOST_FOUND + 1."""
    return rows(settings, "customers_found", wanted=wanted, most=MOST_FOUND + 1)


def history(settings: Settings, customer_id: str) -> list[dict[str, Any]]:
    """The customer's published grades, newest month first; empty where no month rates such a customer."""
    return rows(settings, "grade_history", customer_id=customer_id)


def actions(settings: Settings, customer_id: str) -> list[dict[str, Any]]:
    """What was decided for the customer, newest first."""
    return rows(settings, "customer_actions", customer_id=customer_id, most=MOST_ACTIONS)


def overrides(settings: Settings, customer_id: str) -> list[dict[str, Any]]:
    """Grades and vetoes that people set for the customer, newest first."""
    return rows(settings, "customer_overrides", customer_id=customer_id)


def known_when(settings: Settings, month: RatingMonth, customer_id: str) -> list[dict[str, Any]]:
    """The customer's grade in every revision of a month that is still kept, newest first."""
    found = []
    with transaction(settings) as connection:
        for publication in publications.revisions_of(connection, month):
            if publication.rows_removed_at is not None:
                continue
            table = revisions.staged_name("credit_grades", month, publication.revision)
            row = connection.execute(
                text(
                    f"select grade, score, default_probability, coalesce(grade_rule, rating_basis) as because "
                    f"from rating.{table} where customer_id = :customer_id"
                ),
                {"customer_id": customer_id},
            ).one_or_none()
            found.append({"publication": publication, **(row._asdict() if row else {})})
    return found


@dataclass(frozen=True)
class Bills:
    """The last bills of a customer as its month knew them, newest first, and their sums over BILLS_SHOWN months."""

    bills: list[Mapping[str, Any]]
    billed: Any
    unpaid: Any
    overdue: Any


def bills(
    settings: Settings, policy: Policy, month: RatingMonth, customer_id: str, basis: str, known_in: date | None = None
) -> Bills | None:
    """What the grade of a month stands on, from the lake; None where this machine cannot see the lake's records."""
    from pipeline.customers.parameters import parameters
    from pipeline.engine import open_engine, queries
    from pipeline.lake import Lake
    from pipeline.lake.known_records import KnownRecords

    known = RatingMonth.of(known_in) if known_in else None
    # The id alone: no other text is between it and itself followed by the first character there is.
    within = (customer_id, customer_id + "\x01")
    try:
        records = KnownRecords(Lake.of(settings), policy, month, basis, known_in=known)
        with open_engine(settings) as engine:
            records.bind(engine, within=within)
            found = engine.fetch(
                queries.compose(
                    "select bill_id, billing_month, issued_on, due_on, amount, paid, unpaid, settled_on "
                    "from bill_status order by due_on desc, bill_id desc"
                ),
                parameters(policy, month),
            ).to_pylist()
    except LakeError:
        return None
    cutoff = (month + 1).first_day
    recent = [bill for bill in found if bill["issued_on"] >= (month - (BILLS_SHOWN - 1)).first_day]
    for bill in found:
        bill["is_overdue"] = bill["unpaid"] > 0 and bill["due_on"] < cutoff
    return Bills(
        bills=[bill for bill in found if bill in recent or bill["is_overdue"]],
        billed=sum(bill["amount"] for bill in recent),
        unpaid=sum(bill["unpaid"] for bill in found),
        overdue=sum(bill["unpaid"] for bill in found if bill["is_overdue"]),
    )
