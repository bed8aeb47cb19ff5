-- Negotiations of outages with customers who have an account manager, as actions. One row: an outage and a customer.
-- Parameters: $1 (the moment), $2 (the month of the latest publication), $3 (how many days to look ahead).
-- Fragments: iso_utc (a format of to_char), is_now (a condition: $1 is near now).

select
    array[a.outage_id, a.customer_id, to_char(a.starts_at at time zone 'UTC', {iso_utc})] as reference,
    a.customer_id,
    'planned outage ' || a.outage_id || ' of a customer whom ' || m.manager || ' looks after' as reason,
    jsonb_build_object(
        'outage_id', a.outage_id, 'feeder_id', a.feeder_id, 'manager', m.manager,
        'starts_at', to_char(a.starts_at at time zone 'UTC', {iso_utc}), 'ends_at', to_char(a.ends_at at time zone 'UTC', {iso_utc})
    ) as payload,
    a.starts_at as due_at,
    case when {is_now} then a.starts_at end as expires_at
from affected as a
inner join ops.account_managers as m
    on m.customer_id = a.customer_id
    and m.rating_month = (select max(rating_month) from ops.account_managers where rating_month <= $2)
where a.starts_at <= cast($1 as timestamptz) + $3 * interval '1 day'
