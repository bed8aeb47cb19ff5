"""The rebate ledger ops.arrears_rebates: what each campaign granted whom, and how much of it was taken back.

Written through the cursor of one bulk transaction, each row together with its action in the outbox. A row whose action
somebody has acted on, or of which something was taken back, stands; any other is computed anew with its month.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.actions import outbox
from pipeline.month import RatingMonth
from pipeline.warehouse.publications import Publication

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

REBATE = "arrears_rebate"
CLAWBACK = "rebate_clawback"


@dataclass(frozen=True)
class Campaign:
    """A campaign as held: its window in whole months, both included, and its terms, exact."""

    name: str
    first_month: RatingMonth
    last_month: RatingMonth
    share: Decimal
    rate: Decimal
    cap: Decimal

    def terms(self) -> str:
        """All but the name, as JSON of strings: the action of a rebate keeps them, and a clawback goes by them."""
        return json.dumps({name: str(value) for name, value in vars(self).items() if name != "name"})

    @classmethod
    def on_terms(cls, name: str, terms: str) -> "Campaign":
        read = json.loads(terms)
        months = {field: RatingMonth.parse(read[field]) for field in ("first_month", "last_month")}
        return cls(name, **months, **{field: Decimal(read[field]) for field in ("share", "rate", "cap")})


_STANDS = f"""(
    l.clawback > 0 or exists (
        select from ops.service_actions as a where a.action_id = l.action_id and a.status not in {outbox.UNTOUCHED}
    )
)"""

_LEAVE_OUT_WHAT_STANDS = f"""
delete from computed as c using ops.arrears_rebates as l
where l.campaign = c.campaign and l.customer_id = c.customer_id and {_STANDS}
"""

_NO_LONGER_DUE = f"""
select l.action_id from ops.arrears_rebates as l
where l.campaign = $1 and l.action_id is not null and not {_STANDS}
    and not exists (select from computed as c where c.customer_id = l.customer_id and c.rebate > 0)
"""

_REMOVE = f"""
delete from ops.arrears_rebates as l
where l.campaign = $1 and not {_STANDS}
    and not exists (select from computed as c where c.customer_id = l.customer_id)
returning 1
"""

_REBATES = """
select
    action_id,
    customer_id,
    false as is_suppressed,
    format('repaid %s of %s overdue when campaign %s began', repaid, opening_arrears, campaign) as reason,
    jsonb_build_object(
        'campaign', campaign, 'terms', cast(terms as jsonb), 'opening_arrears', cast(opening_arrears as text),
        'repaid', cast(repaid as text), 'rebate', cast(rebate as text)
    ) as payload
from computed
where rebate > 0
"""

_ENTER = """
insert into ops.arrears_rebates as l
    (campaign, customer_id, rating_month, opening_arrears, repaid, rebate, action_id)
select
    campaign, customer_id, rating_month, opening_arrears, repaid, rebate,
    case when rebate > 0 then cast(action_id as uuid) end
from computed
order by customer_id
on conflict (campaign, customer_id) do update
set rating_month = excluded.rating_month, opening_arrears = excluded.opening_arrears, repaid = excluded.repaid,
    rebate = excluded.rebate, action_id = excluded.action_id, computed_at = now()
where (l.rating_month, l.opening_arrears, l.repaid, l.rebate, l.action_id) is distinct from
    (excluded.rating_month, excluded.opening_arrears, excluded.repaid, excluded.rebate, excluded.action_id)
returning 1
"""

_GRANTS_REVERSED = """
select l.campaign, cast(a.payload -> 'terms' as text) as terms, l.customer_id
from ops.arrears_rebates as l
inner join ops.service_actions as a on a.action_id = l.action_id
where l.rating_month < $1
    and exists (
        select from reversed as r
        where r.customer_id = l.customer_id
            and r.paid_on >= to_date(a.payload -> 'terms' ->> 'first_month', 'YYYY-MM')
            and r.paid_on < l.rating_month + interval '1 month'
    )
order by l.campaign, terms, l.customer_id
"""

_CLAWBACKS = f"""
select
    c.action_id,
    c.customer_id,
    g.status = 'suppressed' as is_suppressed,
    format('a reversal lowers the rebate of campaign %s from %s to %s', c.campaign, l.rebate, c.rebate) as reason,
    jsonb_build_object(
        'campaign', c.campaign, 'rebate_action_id', cast(l.action_id as text), 'rebate', cast(l.rebate as text),
        'clawback', cast(l.rebate - c.rebate - other.before as text)
    ) as payload
from computed as c
inner join ops.arrears_rebates as l on l.campaign = c.campaign and l.customer_id = c.customer_id
inner join ops.service_actions as g on g.action_id = l.action_id
cross join lateral (
    select
        coalesce(sum(cast(a.payload ->> 'clawback' as numeric)) filter (where a.rating_month < c.rating_month), 0)
            as before,
        coalesce(bool_or(a.rating_month > c.rating_month), false) as is_later
    from ops.service_actions as a
    where a.customer_id = c.customer_id and a.action_type = '{CLAWBACK}' and a.payload ->> 'campaign' = c.campaign
) as other
where l.rebate - c.rebate > other.before and not other.is_later
"""

_ENTER_CLAWBACKS = f"""
update ops.arrears_rebates as l
set clawback = a.clawback, computed_at = now()
from (
    select
        a.customer_id,
        a.payload ->> 'campaign' as campaign,
        sum(cast(a.payload ->> 'clawback' as numeric)) as clawback
    from ops.service_actions as a
    where a.action_type = '{CLAWBACK}' and a.customer_id in (select customer_id from computed)
    group by a.customer_id, a.payload ->> 'campaign'
) as a
where a.campaign = l.campaign and a.customer_id = l.customer_id and a.clawback <> l.clawback
returning 1
"""

_SUMMARY = f"""
select
    count(distinct l.customer_id),
    cast(coalesce(sum(l.repaid), 0.00) as text),
    count(*) filter (where a.status <> 'suppressed'),
    cast(coalesce(sum(l.rebate) filter (where a.status <> 'suppressed'), 0.00) as text),
    count(*) filter (where a.status = 'suppressed'),
    (
        select count(*) from ops.service_actions as c
        where c.rating_month = $1 and c.action_type = '{CLAWBACK}'
    ),
    (
        select cast(coalesce(sum(cast(c.payload ->> 'clawback' as numeric)), 0.00) as text)
        from ops.service_actions as c
        where c.rating_month = $1 and c.action_type = '{CLAWBACK}'
    )
from ops.arrears_rebates as l
left join ops.service_actions as a on a.action_id = l.action_id
where l.rating_month = $1
"""
_SUMMARY_NAMES = (
    "customers_in_arrears",
    "repaid",
    "proposed",
    "proposed_amount",
    "suppressed",
    "clawed_back",
    "clawed_back_amount",
)


def lock(cursor: "Cursor") -> None:
    """One writer at a time, until the transaction ends; readers go on."""
    cursor.execute("lock table ops.arrears_rebates in share row exclusive mode")


def grant(cursor: "Cursor", publication: Publication, campaign: Campaign, rebates: pa.RecordBatchReader) -> int:
    """Make the campaign's rows those of ``rebates`` (customer_id, opening_arrears, repaid, rebate), and propose them.

    Returns how many rows of ledger and outbox changed.
    """
    with _computed(cursor, publication, campaign, rebates, REBATE):
        cursor.execute(_LEAVE_OUT_WHAT_STANDS)
        withdrawn = outbox.withdraw(
            cursor, _NO_LONGER_DUE, [campaign.name], f"no longer due in campaign {campaign.name}"
        )
        removed = outbox.written(cursor, _REMOVE, [campaign.name])
        proposed = outbox.propose(cursor, publication, REBATE, _REBATES)
        return withdrawn + removed + proposed + outbox.written(cursor, _ENTER)


def reversed_grants(
    cursor: "Cursor", month: RatingMonth, reversals: pa.RecordBatchReader
) -> Iterator[tuple[Campaign, pa.Array]]:
    """Campaigns that ended before ``month``, each with the ids of the customers who got a rebate and of whom
    ``reversals`` (customer_id, paid_on) has a payment made in its window."""
    with _ingested(cursor, "reversed", reversals):
        cursor.execute(_GRANTS_REVERSED, [month.first_day])
        found = cursor.fetchall()
    for (name, terms), rows in groupby(found, key=lambda row: row[:2]):
        yield Campaign.on_terms(name, terms), pa.array([row[2] for row in rows], pa.string())


def claw_back(cursor: "Cursor", publication: Publication, campaign: Campaign, rebates: pa.RecordBatchReader) -> int:
    """Take back what was granted above ``rebates`` (customer_id, rebate), less what earlier months took back.

    One action a month, so that a second reversal is a second action. Where a later month has taken back already, it
    knew of this reversal too. The clawback of a rebate that was never proposed is suppressed as that was. Returns how
    many rows of ledger and outbox changed.
    """
    reference = str(publication.rating_month)
    with _computed(cursor, publication, campaign, rebates, CLAWBACK, reference):
        proposed = outbox.propose(cursor, publication, CLAWBACK, _CLAWBACKS)
        return proposed + outbox.written(cursor, _ENTER_CLAWBACKS)


def summary(cursor: "Cursor", month: RatingMonth) -> dict[str, Any]:
    """What the ledger and the outbox hold of a month; amounts of money as strings."""
    cursor.execute(_SUMMARY, [month.first_day])
    return dict(zip(_SUMMARY_NAMES, cursor.fetchone(), strict=True))


@contextmanager
def _ingested(cursor: "Cursor", table: str, rows: pa.RecordBatchReader) -> Iterator[None]:
    """``rows`` as a temporary table for the time of the block."""
    cursor.adbc_ingest(table, rows, mode="create", temporary=True)
    for column in rows.schema:
        if pa.types.is_decimal(column.type):  # comes as a numeric of any scale, which would print without its zeros
            kind = f"numeric({column.type.precision}, {column.type.scale})"
            cursor.execute(f"alter table {table} alter {column.name} type {kind}")
    yield
    cursor.execute(f"drop table {table}")


@contextmanager
def _computed(
    cursor: "Cursor",
    publication: Publication,
    campaign: Campaign,
    rows: pa.RecordBatchReader,
    action_type: str,
    *reference: str,
) -> Iterator[None]:
    """``rows`` as temporary table ``computed``: beside their columns campaign, terms, rating_month, and the id of the
    action of that type about the campaign, the customer and ``reference``."""
    added = pa.schema(
        [("campaign", pa.string()), ("terms", pa.string()), ("rating_month", pa.date32()), ("action_id", pa.string())]
    )
    schema = pa.schema([*rows.schema, *added])
    same = campaign.name, campaign.terms(), publication.rating_month.first_day

    def widened() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            customers = batch["customer_id"].to_pylist()
            values = (
                *([value] * len(customers) for value in same),
                [outbox.action_id(action_type, campaign.name, customer, *reference) for customer in customers],
            )
            arrays = [pa.array(column, kind) for column, kind in zip(values, added.types, strict=True)]
            yield pa.RecordBatch.from_arrays([*batch.columns, *arrays], schema=schema)

    with _ingested(cursor, "computed", pa.RecordBatchReader.from_batches(schema, widened())):
        yield
