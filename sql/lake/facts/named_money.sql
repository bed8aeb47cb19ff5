-- The money that names a bill. One row per live bill that asks for money: payments (how many), received (may be more
-- than the amount), first_paid_on and last_paid_on.
-- Reads bill_money. Parameters: as_of.
select
    bill_id,
    customer_id,
    billing_month,
    issued_on,
    due_on,
    amount,
    months,
    payments,
    received,
    first_paid_on,
    last_paid_on
from bill_money
where has_bill
