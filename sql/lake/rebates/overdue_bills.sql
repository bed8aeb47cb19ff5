-- The bills overdue at a moment: due before it and not paid in full by then.
-- One row per bill: unpaid is what it still lacks.
-- Reads bill_status. Parameters: as_of (the moment's date), settlement_tolerance.
select
    bill_id,
    customer_id,
    unpaid
from bill_status
where due_on < :as_of
    and unpaid > 0
