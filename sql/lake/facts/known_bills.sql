-- How many bills of a customer there are, one of several months counting as so many: one row per customer with any that
-- is no credit note.
-- Reads live_bills. Parameters: as_of.
select
    customer_id,
    cast(sum(months) as bigint) as bills
from live_bills
where amount >= 0
group by customer_id
