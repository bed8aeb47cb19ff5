-- One row is a contact a customer made, for the rows recorded in a span of time.
-- :recorded_from    timestamptz, included
-- :recorded_before  timestamptz, not included
select
    contact_id,
    customer_id,
    contact_type,
    contacted_at,
    recorded_at
from service_contacts
where recorded_at >= :recorded_from and recorded_at < :recorded_before
