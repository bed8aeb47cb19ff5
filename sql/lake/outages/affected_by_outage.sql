-- Whom planned outages still to come leave without power: one row per outage and customer of its feeder.
-- Reads planned_outages, customers (as last known). Parameters: at (the instant of the run).
select
    p.outage_id,
    p.feeder_id,
    p.starts_at,
    p.ends_at,
    c.customer_id,
    coalesce(c.is_life_support, false) as is_life_support
from planned_outages as p
inner join customers as c on c.feeder_id = p.feeder_id
where p.starts_at > :at
    and cast(c.connected_on as timestamptz) <= p.starts_at
    and (c.closed_on is null or cast(c.closed_on as timestamptz) > p.starts_at)
order by
    p.outage_id,
    c.customer_id
