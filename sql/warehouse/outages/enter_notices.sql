-- Records the notices in decided. One row: a notice that is new or has changed.
-- Parameters: $1 (the moment), $2 (hours ahead below which a notice is late).

insert into ops.outage_notices as n (
    outage_id, customer_id, sequence, action_id, feeder_id, starts_at, ends_at, decided_at, hours_ahead, is_late
)
select
    a.outage_id, a.customer_id, 0, d.action_id, a.feeder_id, a.starts_at, a.ends_at, $1,
    extract(epoch from a.starts_at - cast($1 as timestamptz)) / 3600, extract(epoch from a.starts_at - cast($1 as timestamptz)) / 3600 < $2
from decided as d
inner join affected as a on a.outage_id = d.reference[1] and a.customer_id = d.customer_id
on conflict (outage_id, customer_id, sequence) do update
set feeder_id = excluded.feeder_id, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
    decided_at = excluded.decided_at, hours_ahead = excluded.hours_ahead, is_late = excluded.is_late
where (n.feeder_id, n.starts_at, n.ends_at) is distinct from (excluded.feeder_id, excluded.starts_at, excluded.ends_at)
returning 1
