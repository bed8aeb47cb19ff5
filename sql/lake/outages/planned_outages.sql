-- The planned outages as last recorded: one row per outage that is to take place (starts_at, ends_at: null where it is
-- not known). One whose end is its start is called off.
-- Reads outages (what the billing system recorded of late).
select
    outage_id,
    feeder_id,
    starts_at,
    ends_at
from (
    select
        outage_id,
        feeder_id,
        is_planned,
        starts_at,
        ends_at,
        row_number() over (partition by outage_id order by recorded_at desc, starts_at desc, feeder_id) as recency
    from outages
    where outage_id is not null
) as known
where recency = 1
    and is_planned
    and starts_at is not null
    and (ends_at is null or ends_at > starts_at)
