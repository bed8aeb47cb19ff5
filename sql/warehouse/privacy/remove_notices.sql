-- Removes what customers were told of outages still to come, of which they would be told more. One row: a notice.
-- Parameters: customers.

delete from ops.outage_notices
where customer_id = any(:customers) and (starts_at is null or starts_at > now())
