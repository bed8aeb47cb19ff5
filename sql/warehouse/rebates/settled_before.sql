-- Part of a statement: of the customer of row c, what other months have taken back (clawback) or added (late_rebate) of
-- the rebate of campaign $1 before the month whose first day is $2, and whether a later month has done so already.
-- Parameters: $1 (the campaign), $2 (the month's first day).

cross join lateral (
    select
        coalesce(sum(cast(a.payload ->> 'clawback' as numeric(18, 2))) filter (where a.rating_month < $2), 0) as back,
        coalesce(sum(cast(a.payload ->> 'late_rebate' as numeric(18, 2))) filter (where a.rating_month < $2), 0.00) as late,
        coalesce(bool_or(a.rating_month > $2 and a.payload ?| array['late_rebate', 'clawback']), false) as is_later
    from ops.service_actions as a
    where a.customer_id = c.customer_id
        and a.action_type in ('arrears_rebate', 'rebate_clawback')
        and a.payload ->> 'campaign' = $1
) as other
