-- The customers who may have had bills overdue when a campaign began: one row per customer. The others had none, so that
-- what was overdue then needs only the records of these.
-- Whose bill was due before and was not settled by then, as known at the window's end; or who had a bill cancelled since;
-- or of whom the first balance that tells what they owed when the lake begins is of the window itself.
-- Reads bill_status (at the window's end), bills, account_balances, arrears, lake_begins. Parameters: as_of (the day after
-- the window), window_start.
select customer_id
from bill_status
where due_on < :window_start
    and (settled_on is null or settled_on >= :window_start)
union
select customer_id
from bills
where cancels_bill_id is not null
    and issued_on >= :window_start
    and issued_on < :as_of
union
select customer_id
from account_balances
group by customer_id
having min(as_of) >= :window_start
    and min(as_of) < :as_of
union
select r.customer_id
from arrears as r
inner join lake_begins as l on l.register_begins = r.as_of
where r.as_of >= :window_start
    and r.as_of < :as_of
