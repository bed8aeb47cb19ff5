-- Dispatches approved actions to the work queue. One row: an action that was dispatched.
-- Fragments: followed_is_done (outbox/followed_is_done).

update ops.service_actions as s
set status = 'dispatched', attempts = 1, dispatched_at = now(), updated_at = now()
where s.status = 'approved' and s.channel = 'queue' and {followed_is_done}
