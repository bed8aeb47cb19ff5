-- The outbox in the order of its work, whole and by type, so that a page of the console's queue is read and not sorted.
-- Runs once. Reads nothing.

create index service_actions_queue
on ops.service_actions (status, coalesce(priority, 9), coalesce(due_at, 'infinity'), action_id);

create index service_actions_queue_by_type
on ops.service_actions (status, action_type, coalesce(priority, 9), coalesce(due_at, 'infinity'), action_id);
