-- The history of a customer's actions. One row: a change of an action's status.
-- Parameters: customer.

select e.*
from ops.service_action_events as e
inner join ops.service_actions as s on s.action_id = e.action_id
where s.customer_id = :customer
order by e.event_id
