-- The grants of a campaign that stand. One row: a customer.
-- Parameters: $1 (the campaign). Fragments: stands (rebates/stands).

select l.customer_id, cast(l.rebate as text) as rebate
from ops.arrears_rebates as l
where l.campaign = $1 and {stands}
order by l.customer_id
