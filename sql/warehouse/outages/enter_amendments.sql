-- Records the amendments in decided. One row: an amendment.
-- Parameters: $1 (the moment), $2 (hours ahead below which an amendment is late).

insert into ops.outage_notices as n (
    outage_id, customer_id, sequence, action_id, feeder_id, starts_at, ends_at, decided_at, hours_ahead, is_late
)
select
    c.outage_id, c.customer_id, c.sequence, d.action_id, c.feeder_id, c.starts_at, c.ends_at, $1,
    extract(epoch from coalesce(c.starts_at, c.previous_starts_at) - cast($1 as timestamptz)) / 3600,
    extract(epoch from coalesce(c.starts_at, c.previous_starts_at) - cast($1 as timestamptz)) / 3600 < $2
from decided as d
inner join changes as c on c.outage_id = d.reference[1] and c.customer_id = d.customer_id
on conflict (outage_id, customer_id, sequence) do update
set starts_at = excluded.starts_at, ends_at = excluded.ends_at, decided_at = excluded.decided_at,
    hours_ahead = excluded.hours_ahead, is_late = excluded.is_late
returning 1
