-- One row is a step of dunning, or what came of it, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    event_id,
    customer_id,
    event_type,
    occurred_on,
    amount,
    recorded_at
from collection_events
where recorded_at >= :recorded_from and recorded_at < :recorded_before
