-- The outages that were announced. One row: an outage and its start. No parameters.

select
    n.outage_id,
    to_char(n.starts_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as starts_at,
    cast(min(n.hours_ahead) as float8) as hours_ahead,
    count(*) as customers,
    count(*) filter (where a.status in ('dispatched', 'acknowledged')) as notified
from ops.outage_notices as n
inner join ops.service_actions as a on a.action_id = n.action_id
group by n.outage_id, n.starts_at
order by n.starts_at, n.outage_id
