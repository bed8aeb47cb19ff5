-- Measure: service at the customer's site, once a period. One row per customer who has a manager.
-- Reads managers. Parameters: onsite_service_period.
select
    customer_id,
    :onsite_service_period as subject,
    customer_group || ': on-site service for the period from ' || :onsite_service_period || ' on' as reason,
    customer_group
from managers
