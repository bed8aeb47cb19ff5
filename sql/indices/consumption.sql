-- Consumption, C1 to C3: one row per rated customer. Estimated reads are left out.
-- Reads population, live_bills. Parameters: as_of, months_ago_3, months_ago_12, months_ago_15, min_months_of_reads.
with reads as (
    select
        customer_id,
        billing_month,
        cast(kwh as decimal(19, 3)) as kwh,
        1 << month(billing_month) as month_bit
    from live_bills
    where billing_month >= :months_ago_15
        and billing_month < :as_of
        and kwh is not null
        and not is_estimated
),

-- Twelve months have twelve different numbers, so the bits of a window count its months.
totals as (
    select
        customer_id,
        count(case when billing_month >= :months_ago_12 then 1 end) as bills,
        bit_count(bit_or(case when billing_month >= :months_ago_12 then month_bit else 0 end)) as months,
        sum(case when billing_month >= :months_ago_12 then kwh end) as kwh,
        sum(case when billing_month >= :months_ago_12 then kwh * kwh end) as kwh_squared,
        bit_count(bit_or(case when billing_month >= :months_ago_3 then month_bit else 0 end)) as recent_months,
        sum(case when billing_month >= :months_ago_3 then kwh end) as recent_kwh,
        bit_count(bit_or(case when billing_month < :months_ago_12 then month_bit else 0 end)) as earlier_months,
        sum(case when billing_month < :months_ago_12 then kwh end) as earlier_kwh
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
        where billing_month >= :months_ago_12
            and customer_id in (select customer_id from totals where bills > months)
        group by customer_id, billing_month
    ) as monthly
    group by customer_id
),

consumed as (
    select
        t.customer_id,
        t.months,
        t.kwh,
        coalesce(s.kwh_squared, t.kwh_squared) as kwh_squared,
        t.recent_months,
        t.recent_kwh,
        t.earlier_months,
        t.earlier_kwh
    from totals as t
    left join several_bills as s on s.customer_id = t.customer_id
)

select
    p.customer_id,
    ln(1 + cast(c.kwh as double) / nullif(c.months, 0)) as avg_monthly_kwh,
    case
        when c.earlier_kwh > 0 and c.recent_months > 0
            then least(
                3,
                greatest(
                    -1,
                    cast(c.recent_kwh * c.earlier_months as double) / cast(c.earlier_kwh * c.recent_months as double) - 1
                )
            )
    end as consumption_trend,
    case
        when c.months >= :min_months_of_reads and c.months > 1 and c.kwh > 0
            then sqrt(
                cast(
                    c.months * c.kwh_squared - cast(c.kwh as decimal(19, 3)) * cast(c.kwh as decimal(19, 3))
                    as double
                )
                * c.months
                / (c.months - 1)
            )
            / cast(c.kwh as double)
    end as consumption_volatility
from population as p
left join consumed as c on c.customer_id = p.customer_id
