-- Who had which account manager in the month before. One row: a customer.
-- Parameters: $1 (the month's first day).

select customer_id, manager, to_char(since, 'YYYY-MM') as since
from ops.account_managers
where rating_month = (select max(rating_month) from ops.account_managers where rating_month < $1)
