-- One row a grade or veto that a person set for a customer, the newest first.
-- Reads ops.rating_overrides. Parameters: customer_id.

select
    o.override_id,
    o.kind,
    o.grade,
    o.reason,
    o.created_by,
    o.valid_from,
    o.valid_until,
    o.created_at,
    o.revoked_by,
    o.revoked_at
from ops.rating_overrides as o
where o.customer_id = :customer_id
order by o.created_at desc, o.override_id
