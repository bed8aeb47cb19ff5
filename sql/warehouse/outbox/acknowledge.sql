-- Records that dispatched actions are done. One row: an action that was acknowledged.
-- Parameters: by (who says so).
-- Fragments: which (a condition on s).

update ops.service_actions as s
set status = 'acknowledged', acknowledged_by = :by, acknowledged_at = now(), updated_at = now()
where s.status = 'dispatched' and {which}
