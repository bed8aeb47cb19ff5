-- One row is one dimension of one survey a customer answered, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    survey_id,
    customer_id,
    surveyed_on,
    dimension,
    expectation,
    perception,
    satisfaction,
    recorded_at
from satisfaction_surveys
where recorded_at >= :recorded_from and recorded_at < :recorded_before
