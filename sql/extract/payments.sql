-- One row is money received, or given back, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    payment_id,
    customer_id,
    bill_id,
    paid_on,
    amount,
    reverses_payment_id,
    channel,
    recorded_at
from payments
where recorded_at >= :recorded_from and recorded_at < :recorded_before
