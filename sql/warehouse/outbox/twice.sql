-- An action that is in decided more than once. One row: that action, or none.

select min(action_type), min(customer_id)
from decided
group by action_id
having count(*) > 1
limit 1
