-- Payments of which something was taken back, by what a month came to know.
-- One row per customer and day on which such a payment had been made.
-- Reads payments. Parameters: recorded_from, recorded_before (the instants the month began and ended), as_of.
select distinct
    p.customer_id,
    p.paid_on
from payments as r
inner join payments as p on p.payment_id = r.reverses_payment_id
where r.recorded_at >= :recorded_from
    and r.recorded_at < :recorded_before
    and r.paid_on < :as_of
