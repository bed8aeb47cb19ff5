-- Repairs that come first, as actions: life support, an account manager, a large connection.
-- One row: a report in trouble.
-- Parameters: $1 (the month of the latest publication), $2 (hours to repair for life support), $3 (hours for the
-- others).
-- Fragments: iso_utc (a format of to_char).

select
    array[t.contact_id] as reference,
    t.customer_id,
    case
        when t.is_life_support then 'a device that a life depends on'
        when m.manager is not null then m.manager || ' looks after the customer'
        else 'a large connection'
    end || ', ' || replace(t.contact_type, '_', ' ') as reason,
    jsonb_build_object(
        'feeder_id', t.feeder_id,
        'reported_at', to_char(t.contacted_at at time zone 'UTC', {iso_utc}),
        'level', case when t.is_life_support then 'emergency' else 'priority' end
    ) as payload,
    case when t.is_life_support then 1 else 2 end as priority,
    t.contacted_at + make_interval(secs => 3600 * case when t.is_life_support then $2 else $3 end) as due_at
from trouble as t
left join ops.account_managers as m
    on m.customer_id = t.customer_id
    and m.rating_month = (select max(rating_month) from ops.account_managers where rating_month <= $1)
where t.is_life_support or t.is_large or m.manager is not null
