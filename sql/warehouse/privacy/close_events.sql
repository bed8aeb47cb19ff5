-- Takes the remarks out of the history of customers' actions. One row: an event.
-- Parameters: customers.

update ops.service_action_events as e
set note = null
from ops.service_actions as s
where s.action_id = e.action_id and s.customer_id = any(:customers) and e.note is not null
