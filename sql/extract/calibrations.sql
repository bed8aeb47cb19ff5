-- One row is a meter calibration that was due, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    calibration_id,
    customer_id,
    due_on,
    performed_on,
    recorded_at
from calibrations
where recorded_at >= :recorded_from and recorded_at < :recorded_before
