-- Whom the month rates: one row per customer connected at the cut-off.
-- Reads customers (their latest state recorded before the cut-off). Parameters: as_of.
select
    customer_id,
    segment,
    region,
    feeder_id,
    connected_on,
    contract_capacity_kva,
    has_reactive_compensation
from customers
where connected_on < :as_of
    and (closed_on is null or closed_on >= :as_of)
