-- Consumption, C1 to C3: one row per rated customer. Estimated reads are left out. What a bill of several months says
-- was consumed is spread evenly over these months for C2 and C3; one such bill alone says nothing of C3.
-- Reads population, live_bills.
-- Parameters: as_of, months_ago_12, since_*, year_after_since_consumption_trend, min_months_of_reads.
with offsets as (
    select 0 as months_before
    union all select 1
    union all select 2
    union all select 3
    union all select 4
    union all select 5
    union all select 6
    union all select 7
    union all select 8
    union all select 9
    union all select 10
    union all select 11
),

read_bills as (
    select
        customer_id,
        billing_month,
        months,
        cast(kwh as decimal(19, 3)) as kwh
    from live_bills
    where billing_month >= least(:since_avg_monthly_kwh, :since_consumption_trend, :since_consumption_volatility)
        and billing_month < :as_of
        and kwh is not null
        and not is_estimated
),

-- One row per month that a bill covers. A bit for each month: they count months much faster than count(distinct ...).
reads as (
    select
        customer_id,
        billing_month,
        kwh,
        true as is_last_month,
        kwh as billed_kwh,
        cast(1 as bigint) << date_diff('month', billing_month, :as_of) as billed_months,
        cast(1 as bigint) << date_diff('month', billing_month, :as_of) as month_bit
    from read_bills
    where months = 1
    union all
    select
        r.customer_id,
        cast(r.billing_month - o.months_before * interval 1 month as date) as billing_month,
        -- Whole watt-hours, halves upwards: exact, and the same on every engine.
        cast(
            cast(floor(cast(r.kwh * 1000 as bigint) / r.months + 0.5e0) as decimal(15, 0)) * 0.001 as decimal(19, 3)
        ) as kwh,
        o.months_before = 0 as is_last_month,
        case when o.months_before = 0 then r.kwh end as billed_kwh,
        case
            when o.months_before = 0
                then ((cast(1 as bigint) << r.months) - 1) << date_diff('month', r.billing_month, :as_of)
            else 0
        end as billed_months,
        cast(1 as bigint) << (date_diff('month', r.billing_month, :as_of) + o.months_before) as month_bit
    from read_bills as r
    inner join offsets as o on o.months_before < r.months
    where r.months > 1
),

totals as (
    select
        customer_id,
        bit_count(
            bit_or(case when is_last_month and billing_month >= :since_avg_monthly_kwh then billed_months else 0 end)
        ) as months,
        sum(case when is_last_month and billing_month >= :since_avg_monthly_kwh then billed_kwh end) as kwh,
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
        count(case when billing_month >= :since_consumption_volatility then 1 end) as varied_rows,
        count(case when is_last_month and billing_month >= :since_consumption_volatility then 1 end) as varied_bills,
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
            and customer_id in (select customer_id from totals where varied_rows > varied_months)
        group by customer_id, billing_month
    ) as monthly
    group by customer_id
)

select
    p.customer_id,
    case when t.months > 0 then ln(1 + greatest(0, cast(t.kwh as double) / t.months)) end as avg_monthly_kwh,
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
        when t.varied_months >= :min_months_of_reads and t.varied_bills > 1 and t.varied_kwh > 0
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
