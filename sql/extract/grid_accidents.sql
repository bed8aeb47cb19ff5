-- One row is an accident on the grid that a customer had part in, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    accident_id,
    customer_id,
    occurred_on,
    severity,
    customer_minutes_lost,
    is_customer_caused,
    recorded_at
from grid_accidents
where recorded_at >= :recorded_from and recorded_at < :recorded_before
