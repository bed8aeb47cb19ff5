-- What is billed to a customer in a year: one row per customer with a bill issued in the year before the cut-off. Of
-- bills that cover more than twelve months together, it is twelve months' share.
-- Reads bill_status. Parameters: as_of, settlement_tolerance, months_ago_12.
select
    customer_id,
    cast(
        case when max(months) > 1 and sum(months) > 12 then sum(amount) * 12 / sum(months) else sum(amount) end
        as decimal(18, 2)
    ) as billed
from bill_status
where issued_on >= :months_ago_12
group by customer_id
