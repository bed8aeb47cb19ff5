-- How far a snapshot of the customers knows those who were billed: one row.
--   billed    customers with bills
--   unknown   how many of them the snapshot lacks
-- Reads bills, customers. No parameters.
select
    count(*) as billed,
    count(*) - count(c.customer_id) as unknown
from (select distinct customer_id from bills) as b
left join (select distinct customer_id from customers) as c on c.customer_id = b.customer_id
