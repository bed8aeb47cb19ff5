-- Amendments of notices that have gone out, as actions. One row: a change.
-- Fragments: iso_utc (a format of to_char), is_now (a condition: $1, the moment, is near now).

select
    array[c.outage_id, c.customer_id, cast(c.sequence as text)] as reference,
    c.customer_id,
    'outage ' || c.outage_id || ' of feeder ' || c.feeder_id
    || case when c.starts_at is null then ' is called off' else ' has been moved' end as reason,
    jsonb_build_object(
        'outage_id', c.outage_id, 'feeder_id', c.feeder_id, 'previous_starts_at', to_char(c.previous_starts_at at time zone 'UTC', {iso_utc}),
        'starts_at', to_char(c.starts_at at time zone 'UTC', {iso_utc}), 'ends_at', to_char(c.ends_at at time zone 'UTC', {iso_utc}),
        'is_life_support', c.is_life_support
    ) as payload,
    c.notice_id as follows,
    case when cast(c.is_life_support as boolean) then 1 else 2 end as priority,
    case when {is_now} then coalesce(c.starts_at, c.previous_starts_at) end as expires_at
from changes as c
where not c.is_untold and not c.is_moot
