-- Notices of planned outages, as actions. One row: an outage and a customer in affected whose notice may still be
-- decided.
-- Parameters: $1 (the moment), $2 (the month of the latest publication), $3 (the outage sensitivity from which on a
-- customer is told), $4 (how many days to look ahead), $5 (whether everybody is told).
-- Fragments: iso_utc (a format of to_char), is_now (a condition: $1 is near now),
-- untouched (outbox/untouched of s).

select
    array[a.outage_id, a.customer_id] as reference,
    a.customer_id,
    'planned outage ' || a.outage_id || ' of feeder ' || a.feeder_id as reason,
    jsonb_build_object(
        'outage_id', a.outage_id, 'feeder_id', a.feeder_id, 'starts_at', to_char(a.starts_at at time zone 'UTC', {iso_utc}),
        'ends_at', to_char(a.ends_at at time zone 'UTC', {iso_utc}), 'is_life_support', a.is_life_support
    ) as payload,
    case when a.is_life_support then 1 when k.outage_sensitivity >= $3 then 2 else 3 end as priority,
    case when {is_now} then a.starts_at end as expires_at
from affected as a
left join rating.customer_groups as k on k.rating_month = $2 and k.customer_id = a.customer_id
left join ops.outage_notices as n
    on n.outage_id = a.outage_id and n.customer_id = a.customer_id and n.sequence = 0
left join ops.service_actions as s on s.action_id = n.action_id
where a.starts_at <= cast($1 as timestamptz) + $4 * interval '1 day'
    and (n.action_id is null or {untouched})
    and ($5 or a.is_life_support or k.outage_sensitivity >= $3)
