-- One row is a breach of the supply contract, as detected, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    violation_id,
    customer_id,
    violation_type,
    detected_on,
    resolved_on,
    energy_kwh,
    penalty,
    recorded_at
from violations
where recorded_at >= :recorded_from and recorded_at < :recorded_before
