-- Consumption, C1 to C3: one row per rated customer. Estimated reads are left out.
-- Reads population, live_bills.
-- Parameters: as_of, months_ago_12, since_*, year_after_since_consumption_trend, min_months_of_reads.
with reads as (
    select
        customer_id,
        billing_month,
        cast(kwh as decimal(19, 3)) as kwh,
        -- A bit for each month: they count months much faster than count(distinct ...).
        cast(1 as bigint) << date_diff('month', billing_month, :as_of) as month_bit
    from live_bills
    where billing_month >= least(:since_avg_monthly_kwh, :since_consumption_trend, :since_consumption_volatility)
        and billing_month < :as_of
        and kwh is not null
        and not is_estimated
),

totals as (
    select
        customer_id,
        bit_count(bit_or(case when billing_month >= :since_avg_monthly_kwh then month_bit else 0 end)) as months,
        sum(case when billing_month >= :since_avg_monthly_kwh then kwh end) as kwh,
        bit_count(
            bit_or(case when billing_month >= :year_after_since_consumption_trend then month_bit else 0 end)
        ) as recent_months,
        sum(case when billing_month >= :year_after_since_consumption_trend then kwh end) as recent_kwh,
        bit_count(
            bit_or(
                case
                    when billing_month >= :since_consumption_trend and billing_month < :months_ago_12 then month_bit
                    else 0
                end
            )
        ) as earlier_months,
        sum(
            case when billing_month >= :since_consumption_trend and billing_month < :months_ago_12 then kwh end
        ) as earlier_kwh,
        count(case when billing_month >= :since_consumption_volatility then 1 end) as varied_bills,
        bit_count(
            bit_or(case when billing_month >= :since_consumption_volatility then month_bit else 0 end)
        ) as varied_months,
        sum(case when billing_month >= :since_consumption_volatility then kwh end) as varied_kwh,
        sum(case when billing_month >= :since_consumption_volatility then kwh * kwh end) as kwh_squared
    from reads
    group by customer_id
),

-- The squares are those of a month's consumption: where a month has several bills, they are added up first.
several_bills as (
    select
        customer_id,
        sum(kwh * kwh) as kwh_squared
    from (
        select
            customer_id,
            billing_month,
            cast(sum(kwh) as decimal(19, 3)) as kwh
        from reads
        where billing_month >= :since_consumption_volatility
            and customer_id in (select customer_id from totals where varied_bills > varied_months)
        group by customer_id, billing_month
    ) as monthly
    group by customer_id
)

select
    p.customer_id,
    ln(1 + cast(t.kwh as double) / nullif(t.months, 0)) as avg_monthly_kwh,
    case
        when t.earlier_kwh > 0 and t.recent_months > 0
            then least(
                3,
                greatest(
                    -1,
                    cast(t.recent_kwh * t.earlier_months as double) / cast(t.earlier_kwh * t.recent_months as double) - 1
                )
            )
    end as consumption_trend,
    case
        when t.varied_months >= :min_months_of_reads and t.varied_months > 1 and t.varied_kwh > 0
            then sqrt(
                cast(
                    t.varied_months * coalesce(s.kwh_squared, t.kwh_squared)
                    - cast(t.varied_kwh as decimal(19, 3)) * cast(t.varied_kwh as decimal(19, 3))
                    as double
                )
                * t.varied_months
                / (t.varied_months - 1)
            )
            / cast(t.varied_kwh as double)
    end as consumption_volatility
from population as p
left join totals as t on t.customer_id = p.customer_id
left join several_bills as s on s.customer_id = p.customer_id
