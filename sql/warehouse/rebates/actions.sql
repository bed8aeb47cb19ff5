-- The rebates of a campaign as actions. One row: a customer in computed who gets one.
-- Parameters: $1 (the campaign), $2 (its terms, JSON).

select
    array[$1, customer_id] as reference,
    customer_id,
    format('repaid %s of %s overdue when campaign %s began', repaid, opening_arrears, $1) as reason,
    jsonb_build_object(
        'campaign', $1, 'terms', cast($2 as jsonb), 'opening_arrears', cast(opening_arrears as text),
        'repaid', cast(repaid as text), 'earned', cast(earned as text), 'rebate', cast(rebate as text)
    ) as payload
from computed
where rebate > 0
