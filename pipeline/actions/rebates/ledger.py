"""The rebate ledger ops.arrears_rebates: what each campaign granted whom, and how much of it was taken back.

Written through the cursor of one bulk transaction, each row together with its action in the outbox. A row whose action
somebody has acted on, or of which something was taken back, stands; any other is computed anew with its month.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.actions.outbox import propose
from pipeline.month import RatingMonth
from pipeline.warehouse.connection import ingested
from pipeline.warehouse.publications import Publication
from pipeline.warehouse.statements import statement

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

REBATE = "arrears_rebate"
CLAWBACK = "rebate_clawback"


@dataclass(frozen=True)
class Campaign:
    """A campaign as held: its window in whole months, both included, and its terms, exact.

    ``budget``: what all its rebates may add up to, None: any sum.
    """

    name: str
    first_month: RatingMonth
    last_month: RatingMonth
    share: Decimal
    rate: Decimal
    cap: Decimal
    budget: Decimal | None = None

    def terms(self) -> str:
        """All but the name, as JSON of strings: the action of a rebate keeps them, and a clawback goes by them."""
        held = {name: value for name, value in vars(self).items() if name != "name" and value is not None}
        return json.dumps({name: str(value) for name, value in held.items()})

    @classmethod
    def on_terms(cls, name: str, terms: str) -> "Campaign":
        read = json.loads(terms)
        first, last = (RatingMonth.parse(read.pop(field)) for field in ("first_month", "last_month"))
        return cls(name, first, last, **{field: Decimal(value) for field, value in read.items()})


_SUMMARY_NAMES = (
    "customers_in_arrears",
    "received",
    "repaid",
    "proposed",
    "proposed_amount",
    "suppressed",
    "clawed_back",
    "clawed_back_amount",
)


def lock(cursor: "Cursor") -> None:
    """Lock ledger and outbox for other writers until the transaction ends; readers are not blocked."""
    propose.take_lock(cursor)
    cursor.execute("lock table ops.arrears_rebates in share row exclusive mode")


def standing(cursor: "Cursor", campaign: Campaign) -> pa.Table:
    """customer_id and rebate of the grants of a campaign that stand."""
    cursor.execute(statement("rebates/standing", stands=_stands()), [campaign.name])
    kept = cursor.fetch_arrow_table()
    return kept.set_column(1, "rebate", kept["rebate"].cast(pa.decimal128(18, 2)))


def grant(cursor: "Cursor", publication: Publication, campaign: Campaign, rebates: pa.RecordBatchReader) -> int:
    """Make the campaign's rows, but for those that stand, those of ``rebates``, and propose them.

    ``rebates``: customer_id, opening_arrears, received, repaid, earned, rebate. Returns how many rows of ledger and
    outbox changed.
    """
    name, month = campaign.name, publication.rating_month.first_day
    with ingested(cursor, "computed", rebates):
        withdrawn = propose.withdraw(
            cursor, statement("rebates/no_longer_due", stands=_stands()), [name], f"no longer due in campaign {name}"
        )
        removed = propose.written(cursor, statement("rebates/remove", stands=_stands()), [name])
        proposed = propose.propose(cursor, publication, REBATE, statement("rebates/actions"), [name, campaign.terms()])
        return (
            withdrawn
            + removed
            + proposed
            + propose.written(cursor, statement("rebates/enter"), [name, month, campaign.terms()])
        )


def affected_grants(
    cursor: "Cursor", month: RatingMonth, learnt: pa.RecordBatchReader
) -> Iterator[tuple[Campaign, pa.Array]]:
    """Campaigns that ended before ``month``, each with the ids of the customers who were in arrears when it began and
    of whom ``learnt`` (customer_id, paid_on) has a payment made in its window."""
    with ingested(cursor, "learnt", learnt):
        cursor.execute(statement("rebates/grants_affected"), [month.first_day])
        found = cursor.fetchall()
    for (name, terms), rows in groupby(found, key=lambda row: row[:2]):
        yield Campaign.on_terms(name, terms), pa.array([row[2] for row in rows], pa.string())


def settle(cursor: "Cursor", publication: Publication, campaign: Campaign, rebates: pa.RecordBatchReader) -> int:
    """Bring what was granted to ``rebates`` (customer_id, opening_arrears, repaid, rebate): take back what was granted
    above it, and add what payments booked later have earned beside it, as far as the budget goes; in both less what
    earlier months did.

    One action a month, so that a second reversal is a second action. Where a later month has done so already, it knew
    of this too. What follows from a rebate that was never proposed is suppressed as that was. Returns how many rows of
    ledger and outbox changed.
    """
    month = publication.rating_month
    named = [campaign.name, month.first_day, str(month)]
    budget = None if campaign.budget is None else str(campaign.budget)
    with ingested(cursor, "computed", rebates):
        settled = {"settled_before": statement("rebates/settled_before")}
        late, back = (statement(f"rebates/{name}", **settled) for name in ("late_actions", "clawback_actions"))
        changed = propose.propose(cursor, publication, REBATE, late, [*named, campaign.terms(), budget])
        changed += propose.written(cursor, _enter("late_rebate", REBATE))
        changed += propose.propose(cursor, publication, CLAWBACK, back, named)
        return changed + propose.written(cursor, _enter("clawback", CLAWBACK))


def _enter(column: str, action_type: str) -> str:
    return statement("rebates/enter_settled", column=column, action_type=action_type)


def summary(cursor: "Cursor", month: RatingMonth) -> dict[str, Any]:
    """What the ledger and the outbox hold of a month; amounts of money as strings."""
    cursor.execute(statement("rebates/summary"), [month.first_day])
    return dict(zip(_SUMMARY_NAMES, cursor.fetchone(), strict=True))


def _stands() -> str:
    """A condition, as SQL, on a row ``l`` of the ledger."""
    return statement("rebates/stands", untouched=propose.untouched("a"))
