-- Equipment, E1 to E3: one row per rated customer.
--   power_factor_shortfall        the mean of months with energy (of a bill of several, each the same), for installations of power_factor_min_capacity_kva or
--                                 more; 0 where reactive energy is not metered and is compensated
--   calibration_on_schedule_rate  of the calibrations due in the window
--   grid_accident_impact          of the accidents the customer caused
-- Reads population, live_bills, calibrations, grid_accidents.
-- Parameters: as_of, since_*, power_factor_min_capacity_kva, power_factor_standard_*.
with installations as (
    select
        customer_id,
        has_reactive_compensation,
        case segment
            when 'residential' then :power_factor_standard_residential
            when 'commercial' then :power_factor_standard_commercial
            when 'industrial' then :power_factor_standard_industrial
            when 'agricultural' then :power_factor_standard_agricultural
            when 'public' then :power_factor_standard_public
        end as standard
    from population
    where contract_capacity_kva >= :power_factor_min_capacity_kva
),

monthly as (
    select
        i.customer_id,
        i.standard,
        b.billing_month,
        max(b.months) as months,
        cast(sum(b.kwh) as double) as kwh,
        cast(sum(b.kvarh) as double) as kvarh
    from installations as i
    inner join live_bills as b on b.customer_id = i.customer_id
    where b.billing_month >= :since_power_factor_shortfall
        and b.billing_month < :as_of
        and b.kwh is not null
        and b.kvarh is not null
        and not b.is_estimated
        and i.standard is not null
    group by i.customer_id, i.standard, b.billing_month
),

-- A month's shortfall is rounded before it is summed, so that the sum does not depend on the order of the rows.
shortfalls as (
    select
        customer_id,
        sum(months) as months,
        sum(months * cast(greatest(0, standard - kwh / sqrt(kwh * kwh + kvarh * kvarh)) as decimal(18, 9))) as shortfall
    from monthly
    where kwh > 0
    group by customer_id
),

calibrated as (
    select
        customer_id,
        count(*) as due,
        count(case when performed_on <= due_on then 1 end) as on_time
    from calibrations
    where due_on >= :since_calibration_on_schedule_rate and due_on < :as_of
    group by customer_id
),

accidents as (
    select
        customer_id,
        sum(severity * customer_minutes_lost) as impact
    from grid_accidents
    where is_customer_caused
        and occurred_on >= :since_grid_accident_impact
        and occurred_on < :as_of
    group by customer_id
)

select
    p.customer_id,
    case
        when s.months > 0 then cast(s.shortfall as double) / s.months
        when i.standard is not null and i.has_reactive_compensation then 0
    end as power_factor_shortfall,
    cast(c.on_time as double) / c.due as calibration_on_schedule_rate,
    ln(1 + cast(coalesce(a.impact, 0) as double)) as grid_accident_impact
from population as p
left join installations as i on i.customer_id = p.customer_id
left join shortfalls as s on s.customer_id = p.customer_id
left join calibrated as c on c.customer_id = p.customer_id
left join accidents as a on a.customer_id = p.customer_id
