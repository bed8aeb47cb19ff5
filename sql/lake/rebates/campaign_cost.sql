-- What a trial campaign would have cost. One row.
-- Reads granted_then (the rows of rebates_granted when it ended).

select
    count(*) as customers_in_arrears,
    count(*) filter (where rebate > 0) as customers_rewarded,
    coalesce(sum(opening_arrears), 0) as opening_arrears,
    coalesce(sum(received), 0) as received,
    coalesce(sum(repaid), 0) as repaid,
    coalesce(sum(earned), 0) as earned,
    coalesce(sum(rebate), 0) as rebate
from granted_then
