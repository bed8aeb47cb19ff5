-- What a campaign grants of what was earned: as much as its budget allows.
-- One row per customer of rebate_earned whose grant does not stand already: what is there, earned, and rebate, the part granted.
-- Who repaid the larger share of the arrears comes first, equal shares by customer id; who reaches the end of the budget
-- gets what is left of it. Grants that stand are paid from the budget before.
-- Reads rebate_earned, standing (customer_id and rebate of the grants that stand). Parameters: as_of, share, rate, cap, budget.
with waiting as (
    select r.*
    from rebate_earned as r
    left join standing as s on s.customer_id = r.customer_id
    where s.customer_id is null
),

-- Lay the rebates end to end on one line: where it is longer than what is left of the budget, it is cut.
line as (
    select
        *,
        sum(earned) over (
            order by cast(repaid as double) / cast(opening_arrears as double) desc, customer_id
            rows between unbounded preceding and current row
        ) as ends_at
    from waiting
),

spent as (
    select coalesce(sum(rebate), 0) as spent
    from standing
)

select
    l.customer_id,
    l.opening_arrears,
    l.received,
    l.repaid,
    l.earned,
    cast(greatest(0, least(l.earned, :budget - s.spent - (l.ends_at - l.earned))) as decimal(18, 2)) as rebate
from line as l
cross join spent as s
