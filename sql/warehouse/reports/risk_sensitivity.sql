-- One row a month, segment, risk factor and shock: what the shock does to the ratings, and the rank of the factor.
-- Rank 1 moved most, up or down, of the segment's factors under the same shock. The rows of risk_factor 'mean' are the
-- means over the factors. is_ranking_shock marks the policy's own shock; the others make the curve.
-- Reads rating.risk_sensitivity.

with means as (
    select
        s.rating_month,
        s.segment,
        s.shock,
        s.is_ranking_shock,
        max(s.customers) as customers,
        avg(s.evaluation_value) as evaluation_value,
        avg(s.score_after_change) as score_after_change
    from rating.risk_sensitivity as s
    group by s.rating_month, s.segment, s.shock, s.is_ranking_shock
)

select
    s.rating_month,
    s.segment,
    s.risk_factor,
    s.shock,
    s.is_ranking_shock,
    s.customers,
    s.evaluation_value,
    s.score_after_change,
    s.absolute_change,
    s.relative_change,
    s.elasticity,
    rank() over (
        partition by s.rating_month, s.segment, s.shock order by abs(s.absolute_change) desc
    ) as rank_by_absolute_change,
    rank() over (
        partition by s.rating_month, s.segment, s.shock order by abs(s.relative_change) desc nulls last
    ) as rank_by_relative_change,
    s.grade_changes,
    s.upgrades,
    s.downgrades,
    s.mean_credit_score,
    s.mean_credit_score_after,
    s.expected_defaults,
    s.expected_defaults_after
from rating.risk_sensitivity as s
union all
select
    m.rating_month,
    m.segment,
    'mean' as risk_factor,
    m.shock,
    m.is_ranking_shock,
    m.customers,
    m.evaluation_value,
    m.score_after_change,
    m.score_after_change - m.evaluation_value as absolute_change,
    (m.score_after_change - m.evaluation_value) / nullif(m.evaluation_value, 0) as relative_change,
    (m.score_after_change - m.evaluation_value) / nullif(m.evaluation_value, 0) / nullif(m.shock, 0) as elasticity,
    null as rank_by_absolute_change,
    null as rank_by_relative_change,
    null as grade_changes,
    null as upgrades,
    null as downgrades,
    null as mean_credit_score,
    null as mean_credit_score_after,
    null as expected_defaults,
    null as expected_defaults_after
from means as m
