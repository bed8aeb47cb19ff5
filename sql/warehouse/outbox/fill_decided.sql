-- Fills the table decided with the rows of a query.
-- One row: an action. The query need not name the columns in which it has nothing to say: as JSON, what is absent is
-- null.
-- Fragments: decided (the query, with its own parameters).

insert into decided
select
    row_number() over (order by d.reference),
    d.reference,
    null,
    d.customer_id,
    d.reason,
    d.payload,
    cast(o.more ->> 'priority' as smallint),
    o.more ->> 'blocked_by',
    cast(o.more ->> 'follows' as uuid),
    cast(o.more ->> 'due_at' as timestamptz),
    cast(o.more ->> 'expires_at' as timestamptz)
from ({decided}) as d
cross join lateral (select to_jsonb(d) - 'payload' as more) as o
