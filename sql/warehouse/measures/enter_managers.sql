-- Enters the account managers of a month, from fresh. One row: a customer.
-- Parameters: $1 (the month's first day).

insert into ops.account_managers (rating_month, customer_id, manager, since)
select $1, customer_id, manager, to_date(since, 'YYYY-MM')
from fresh
