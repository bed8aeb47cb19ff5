-- What payments booked after a campaign add to its rebates, as actions: what computed is above what was earned then, less
-- what earlier months added, and as far as the budget goes. One row: a customer, unless a later month has added already.
-- Parameters: $1 (the campaign), $2 (the month's first day), $3 (the month), $4 (its terms, JSON), $5 (its budget, text or
-- null).
-- Fragments: settled_before.

with due as (
    select
        c.customer_id,
        c.opening_arrears,
        c.repaid,
        l.action_id,
        c.rebate - l.earned - other.late + other.back as amount
    from computed as c
    inner join ops.arrears_rebates as l on l.campaign = $1 and l.customer_id = c.customer_id
    {settled_before}
    where c.rebate - l.earned - other.late + other.back > 0 and not other.is_later
),

spent as (
    select
        coalesce(sum(l.rebate), 0) + coalesce((
            select sum(cast(a.payload ->> 'late_rebate' as numeric))
            from ops.service_actions as a
            where a.action_type = 'arrears_rebate' and a.payload ->> 'campaign' = $1 and a.rating_month < $2
        ), 0) as amount
    from ops.arrears_rebates as l
    where l.campaign = $1
),

cut as (
    select
        d.*,
        case
            when cast($5 as numeric) is null then d.amount
            else least(
                d.amount, cast($5 as numeric) - s.amount - (sum(d.amount) over (order by d.customer_id) - d.amount)
            )
        end as rebate
    from due as d
    cross join spent as s
)

select
    array[$1, customer_id, $3] as reference,
    customer_id,
    action_id as follows,
    format('a payment booked later adds %s to the rebate of campaign %s', cast(rebate as numeric(18, 2)), $1) as reason,
    jsonb_build_object(
        'campaign', $1, 'terms', cast($4 as jsonb), 'opening_arrears', cast(opening_arrears as text),
        'repaid', cast(repaid as text), 'earned', cast(cast(amount as numeric(18, 2)) as text),
        'rebate', cast(cast(rebate as numeric(18, 2)) as text),
        'late_rebate', cast(cast(rebate as numeric(18, 2)) as text)
    ) as payload
from cut
where rebate > 0
