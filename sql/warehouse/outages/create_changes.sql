-- The temporary table of what customers were told last and is no longer so, of outages still to come. The last thing
-- told
-- may still be changed itself (is_open), and then goes by what was told before it.
-- One row: an outage and a customer. starts_at null: called off. is_untold: the notice has not gone out yet. is_moot:
-- what
-- was to be amended is so again.
-- Parameters: $1 (the moment).
-- Fragments: untouched (outbox/untouched of s).

create temporary table changes on commit drop as
with last_told as (
    select distinct on (n.outage_id, n.customer_id)
        n.outage_id, n.customer_id, n.feeder_id, n.sequence, n.starts_at, n.ends_at, n.action_id,
        {untouched} as is_open
    from ops.outage_notices as n
    inner join ops.service_actions as s on s.action_id = n.action_id
    where n.outage_id in (
        select t.outage_id from ops.outage_notices as t where t.starts_at > cast($1 as timestamptz)
        union
        select p.outage_id from planned as p where p.starts_at > cast($1 as timestamptz)
    )
    order by n.outage_id, n.customer_id, n.sequence desc
)

select
    l.outage_id,
    l.customer_id,
    l.feeder_id,
    l.action_id as last_action_id,
    l.sequence = 0 and l.is_open as is_untold,
    case when l.is_open then l.sequence else l.sequence + 1 end as sequence,
    p.starts_at,
    p.ends_at,
    b.starts_at as previous_starts_at,
    l.is_open and (p.starts_at, p.ends_at) is not distinct from (before.starts_at, before.ends_at) as is_moot,
    f.action_id as notice_id,
    f.payload -> 'is_life_support' as is_life_support
from last_told as l
inner join ops.outage_notices as first
    on first.outage_id = l.outage_id and first.customer_id = l.customer_id and first.sequence = 0
inner join ops.service_actions as f on f.action_id = first.action_id
left join planned as p on p.outage_id = l.outage_id and p.feeder_id = l.feeder_id
left join ops.outage_notices as before
    on before.outage_id = l.outage_id
    and before.customer_id = l.customer_id
    and before.sequence = l.sequence - 1
-- the last start that was told for certain
left join lateral (
    select o.starts_at
    from ops.outage_notices as o
    where o.outage_id = l.outage_id
        and o.customer_id = l.customer_id
        and o.starts_at is not null
        and (o.sequence < l.sequence or not l.is_open)
    order by o.sequence desc
    limit 1
) as b on true
where (p.starts_at, p.ends_at) is distinct from (l.starts_at, l.ends_at)
    and coalesce(p.starts_at, l.starts_at) > cast($1 as timestamptz)
    and coalesce(l.starts_at, p.starts_at) > cast($1 as timestamptz)
