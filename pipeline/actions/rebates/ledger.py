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
        months = {field: RatingMonth.parse(read.pop(field)) for field in ("first_month", "last_month")}
        return cls(name, **months, **{field: Decimal(value) for field, value in read.items()})


_STANDS = f"""(
    l.clawback > 0 or exists (
        select from ops.service_actions as a where a.action_id = l.action_id and not {propose.untouched("a")}
    )
)"""

_STANDING = f"""
select l.customer_id, cast(l.rebate as text) as rebate
from ops.arrears_rebates as l
where l.campaign = $1 and {_STANDS}
order by l.customer_id
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
    array[$1, customer_id] as reference,
    customer_id,
    format('repaid %s of %s overdue when campaign %s began', repaid, opening_arrears, $1) as reason,
    jsonb_build_object(
        'campaign', $1, 'terms', cast($2 as jsonb), 'opening_arrears', cast(opening_arrears as text),
        'repaid', cast(repaid as text), 'earned', cast(earned as text), 'rebate', cast(rebate as text)
    ) as payload
from computed
where rebate > 0
"""

_ENTER = """
insert into ops.arrears_rebates as l
    (campaign, customer_id, rating_month, opening_arrears, received, repaid, earned, rebate, action_id)
select $1, c.customer_id, $2, c.opening_arrears, c.received, c.repaid, c.earned, c.rebate, d.action_id
from computed as c
left join decided as d on d.customer_id = c.customer_id
order by c.customer_id
on conflict (campaign, customer_id) do update
set rating_month = excluded.rating_month, opening_arrears = excluded.opening_arrears, received = excluded.received,
    repaid = excluded.repaid, earned = excluded.earned, rebate = excluded.rebate, action_id = excluded.action_id,
    computed_at = now()
where (l.rating_month, l.opening_arrears, l.received, l.repaid, l.earned, l.rebate, l.action_id) is distinct from (
    excluded.rating_month, excluded.opening_arrears, excluded.received, excluded.repaid, excluded.earned,
    excluded.rebate, excluded.action_id
)
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
    array[$1, c.customer_id, $3] as reference,
    c.customer_id,
    l.action_id as follows,
    format('a reversal lowers the rebate of campaign %s from %s to %s', $1, l.rebate, c.rebate) as reason,
    jsonb_build_object(
        'campaign', $1, 'rebate_action_id', cast(l.action_id as text), 'rebate', cast(l.rebate as text),
        'clawback', cast(l.rebate - c.rebate - other.before as text)
    ) as payload
from computed as c
inner join ops.arrears_rebates as l on l.campaign = $1 and l.customer_id = c.customer_id
cross join lateral (
    select
        coalesce(sum(cast(a.payload ->> 'clawback' as numeric)) filter (where a.rating_month < $2), 0) as before,
        coalesce(bool_or(a.rating_month > $2), false) as is_later
    from ops.service_actions as a
    where a.customer_id = c.customer_id and a.action_type = '{CLAWBACK}' and a.payload ->> 'campaign' = $1
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
    cast(coalesce(sum(l.received), 0.00) as text),
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
    "received",
    "repaid",
    "proposed",
    "proposed_amount",
    "suppressed",
    "clawed_back",
    "clawed_back_amount",
)


def lock(cursor: "Cursor") -> None:
    """One writer at a time, until the transaction ends, and nobody approves or denies meanwhile; readers go on."""
    propose.take_turn(cursor)
    cursor.execute("lock table ops.arrears_rebates in share row exclusive mode")


def standing(cursor: "Cursor", campaign: Campaign) -> pa.Table:
    """customer_id and rebate of the grants of a campaign that stand."""
    cursor.execute(_STANDING, [campaign.name])
    kept = cursor.fetch_arrow_table()
    return kept.set_column(1, "rebate", kept["rebate"].cast(pa.decimal128(18, 2)))


def grant(cursor: "Cursor", publication: Publication, campaign: Campaign, rebates: pa.RecordBatchReader) -> int:
    """Make the campaign's rows, but for those that stand, those of ``rebates``, and propose them.

    ``rebates``: customer_id, opening_arrears, received, repaid, earned, rebate. Returns how many rows of ledger and
    outbox changed.
    """
    name, month = campaign.name, publication.rating_month.first_day
    with ingested(cursor, "computed", rebates):
        withdrawn = propose.withdraw(cursor, _NO_LONGER_DUE, [name], f"no longer due in campaign {name}")
        removed = propose.written(cursor, _REMOVE, [name])
        proposed = propose.propose(cursor, publication, REBATE, _REBATES, [name, campaign.terms()])
        return withdrawn + removed + proposed + propose.written(cursor, _ENTER, [name, month])


def reversed_grants(
    cursor: "Cursor", month: RatingMonth, reversals: pa.RecordBatchReader
) -> Iterator[tuple[Campaign, pa.Array]]:
    """Campaigns that ended before ``month``, each with the ids of the customers who got a rebate and of whom
    ``reversals`` (customer_id, paid_on) has a payment made in its window."""
    with ingested(cursor, "reversed", reversals):
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
    month = publication.rating_month
    with ingested(cursor, "computed", rebates):
        proposed = propose.propose(
            cursor, publication, CLAWBACK, _CLAWBACKS, [campaign.name, month.first_day, str(month)]
        )
        return proposed + propose.written(cursor, _ENTER_CLAWBACKS)


def summary(cursor: "Cursor", month: RatingMonth) -> dict[str, Any]:
    """What the ledger and the outbox hold of a month; amounts of money as strings."""
    cursor.execute(_SUMMARY, [month.first_day])
    return dict(zip(_SUMMARY_NAMES, cursor.fetchone(), strict=True))
