-- Conduct, V1: one row per rated customer. violation_severity adds up the weights of the violations detected in the
-- window, each halved every half-life of its age.
-- Reads population, violations.
-- Parameters: as_of, since_violation_severity, violation_half_life_months, violation_weight_*.
--
-- Each violation's weight is rounded before it is summed, so that the sum does not depend on the order of the rows.
with weighed as (
    select
        customer_id,
        sum(
            cast(
                case violation_type
                    when 'theft' then :violation_weight_theft
                    when 'contract_breach' then :violation_weight_contract_breach
                    when 'safety_hazard' then :violation_weight_safety_hazard
                    else 0
                end
                * power(2, -date_diff('day', detected_on, :as_of) / 30.4375e0 / :violation_half_life_months)
                as decimal(18, 9)
            )
        ) as weight
    from violations
    where detected_on >= :since_violation_severity and detected_on < :as_of
    group by customer_id
)

select
    p.customer_id,
    cast(coalesce(w.weight, 0) as double) as violation_severity
from population as p
left join weighed as w on w.customer_id = p.customer_id
