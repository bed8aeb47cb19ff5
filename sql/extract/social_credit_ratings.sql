-- One row is a rating of a customer by somebody else, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    customer_id,
    rating,
    valid_from,
    valid_to,
    recorded_at
from social_credit_ratings
where recorded_at >= :recorded_from and recorded_at < :recorded_before
