-- The bills that stand at the cut-off: issued before it and not cancelled before it.
-- One row per bill. One that cancels another is itself a bill where its amount is positive; any other may ask for
-- nothing and still tell what was consumed.
-- Reads bills. Parameters: as_of (date of the cut-off), history_start (older due dates are out of sight).
select
    b.bill_id,
    b.customer_id,
    b.billing_month,
    b.issued_on,
    b.due_on,
    b.amount,
    b.kwh,
    b.kvarh,
    b.is_estimated
from bills as b
where b.issued_on < :as_of
    and b.due_on >= :history_start
    and (b.amount > 0 or b.cancels_bill_id is null)
    and not exists (
        select 1
        from bills as c
        where c.cancels_bill_id = b.bill_id
            and c.issued_on < :as_of
    )
