-- Payments as they count for a campaign that ended before: what was paid in its window and has been taken back since
-- was never paid.
-- One row per payment or reversal; the reversal of a payment made in the window is dated as that payment.
-- Reads payments. Parameters: window_start, window_end (the day after the window), as_of (later reversals do not count).
select
    p.payment_id,
    p.customer_id,
    p.bill_id,
    case
        when o.paid_on >= :window_start and o.paid_on < :window_end then o.paid_on
        else p.paid_on
    end as paid_on,
    p.amount,
    p.reverses_payment_id,
    p.recorded_at
from payments as p
left join payments as o on o.payment_id = p.reverses_payment_id
where p.paid_on < :as_of
