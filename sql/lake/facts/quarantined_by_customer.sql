-- Records in quarantine by customer: one row per customer with any. records: how many; of_account: how many of them are
-- bills, payments or account balances, so that what the customer owes may be other than it seems.
-- Reads quarantined (one row per record that validation left out: table_name, customer_id).
select
    customer_id,
    count(*) as records,
    sum(case when table_name in ('bills', 'payments', 'account_balances') then 1 else 0 end) as of_account
from quarantined
where customer_id is not null
group by customer_id
