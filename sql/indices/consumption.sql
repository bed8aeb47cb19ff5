-- Consumption, C1 to C3: one row per rated customer. Estimated reads are left out.
-- Reads population, live_bills. Parameters: as_of, months_ago_3, months_ago_12, months_ago_15, min_months_of_reads.
with monthly as (
    select
        customer_id,
        billing_month,
        cast(sum(kwh) as decimal(19, 3)) as kwh
    from live_bills
    where billing_month >= :months_ago_15
        and billing_month < :as_of
        and kwh is not null
        and not is_estimated
    group by customer_id, billing_month
),

reads as (
    select
        customer_id,
        count(case when billing_month >= :months_ago_12 then 1 end) as months,
        sum(case when billing_month >= :months_ago_12 then kwh end) as kwh,
        sum(case when billing_month >= :months_ago_12 then kwh * kwh end) as kwh_squared,
        count(case when billing_month >= :months_ago_3 then 1 end) as recent_months,
        sum(case when billing_month >= :months_ago_3 then kwh end) as recent_kwh,
        count(case when billing_month < :months_ago_12 then 1 end) as earlier_months,
        sum(case when billing_month < :months_ago_12 then kwh end) as earlier_kwh
    from monthly
    group by customer_id
)

select
    p.customer_id,
    ln(1 + cast(r.kwh as double) / nullif(r.months, 0)) as avg_monthly_kwh,
    case
        when r.earlier_kwh > 0 and r.recent_months > 0
            then least(
                3,
                greatest(
                    -1,
                    cast(r.recent_kwh * r.earlier_months as double)
                    / cast(r.earlier_kwh * r.recent_months as double)
                    - 1
                )
            )
    end as consumption_trend,
    case
        when r.months >= :min_months_of_reads and r.months > 1 and r.kwh > 0
            then sqrt(
                cast(
                    r.months * r.kwh_squared - cast(r.kwh as decimal(19, 3)) * cast(r.kwh as decimal(19, 3))
                    as double
                )
                * r.months / (r.months - 1)
            )
            / cast(r.kwh as double)
    end as consumption_volatility
from population as p
left join reads as r on r.customer_id = p.customer_id
