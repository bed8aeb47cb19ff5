-- Measure: an account manager. One row per customer who has one; subject is the month from which on.
-- Reads managers.
select
    customer_id,
    manager || ' since ' || since as subject,
    customer_group || ': ' || manager || ' looks after the customer from ' || since || ' on' as reason,
    manager,
    customer_group
from managers
