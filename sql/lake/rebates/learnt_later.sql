-- Payments of which a month came to know something later: that something was taken back, or, of one made before the month,
-- that it was made at all.
-- One row per customer and day on which such a payment had been made.
-- Reads payments. Parameters: recorded_from, recorded_before (the instants the month began and ended), month_start, as_of.
select distinct
    p.customer_id,
    p.paid_on
from payments as r
inner join payments as p on p.payment_id = r.reverses_payment_id
where r.recorded_at >= :recorded_from
    and r.recorded_at < :recorded_before
    and r.paid_on < :as_of
union
select
    customer_id,
    paid_on
from payments
where recorded_at >= :recorded_from
    and recorded_at < :recorded_before
    and paid_on < :month_start
