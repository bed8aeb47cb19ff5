-- Ends the grades that were set by hand for customers, and takes the reasons out. One row: an override.
-- Parameters: customers, erased_by.

update ops.rating_overrides
set reason = 'erased', revoked_by = coalesce(revoked_by, :erased_by), revoked_at = coalesce(revoked_at, now())
where customer_id = any(:customers)
