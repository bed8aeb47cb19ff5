-- What shocks of one risk factor do to the customers of one family, added up in whole numbers of fine units, so that no
-- bit depends on the order. One row per segment and shock, and one of no shock (null): how things are.
-- No parameters.
-- Fragments: risk_factor (text), rated (the customers under each shock with value, score and default probability after
-- it, and the ranks of their grades before and after), fine and score_unit (numbers).
select
    segment,
    {risk_factor} as risk_factor,
    shock,
    count(*) as customers,
    count(evaluation) as evaluated,
    cast(sum(cast(round_even(coalesce(evaluation, 0e0) * {fine}, 0) as bigint)) as bigint) as value,
    cast(sum(cast(round_even(score_after / {score_unit} * {fine}, 0) as bigint)) as bigint) as score,
    cast(sum(cast(round_even(probability_after * {fine}, 0) as bigint)) as bigint) as probability,
    count(case when rank_after < rank_before then 1 end) as upgrades,
    count(case when rank_after > rank_before then 1 end) as downgrades
from ({rated}) as rated
group by segment, shock
