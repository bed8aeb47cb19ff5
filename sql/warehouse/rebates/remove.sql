-- Removes a campaign's rows of customers who were not in arrears by its new computation. One row: a row removed.
-- Parameters: $1 (the campaign). Fragments: stands (rebates/stands).

delete from ops.arrears_rebates as l
where l.campaign = $1 and not {stands}
    and not exists (select from computed as c where c.customer_id = l.customer_id)
returning 1
