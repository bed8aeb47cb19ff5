-- One row is what a customer owed at a month's end, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    customer_id,
    as_of,
    balance,
    recorded_at
from account_balances
where recorded_at >= :recorded_from and recorded_at < :recorded_before
