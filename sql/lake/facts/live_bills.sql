-- The bills that stand at the cut-off: issued before it and not cancelled before it.
-- One row per bill. One that cancels another is itself a bill where its amount is positive. One that cancels none may
-- ask for nothing and still tell what was consumed, or have a negative amount: a credit note.
-- months: how many months the bill covers, of which billing_month is the last; its period to the nearest month, and 12
-- at most.
-- Reads bills. Parameters: as_of (date of the cut-off).
select
    b.bill_id,
    b.customer_id,
    b.billing_month,
    b.issued_on,
    b.due_on,
    b.amount,
    b.kwh,
    b.kvarh,
    b.is_estimated,
    case
        when date_diff('day', b.period_start, b.period_end) > 45
            then cast(least(12, round(date_diff('day', b.period_start, b.period_end) / 30.4375e0)) as integer)
        else 1
    end as months
from bills as b
where b.issued_on < :as_of
    and (b.amount > 0 or b.cancels_bill_id is null)
    and not exists (
        select 1
        from bills as c
        where c.cancels_bill_id = b.bill_id
            and c.issued_on < :as_of
    )
