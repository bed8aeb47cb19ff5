-- One row is an interruption of a feeder, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    outage_id,
    feeder_id,
    is_planned,
    announced_at,
    starts_at,
    ends_at,
    recorded_at
from outages
where recorded_at >= :recorded_from and recorded_at < :recorded_before
