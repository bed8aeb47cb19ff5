-- Measure: the late fee of a month, by tariff. One row per customer who owed something past its due date in the month.
-- A day on which a bill is late costs the daily rate of what the bill then lacks: the first is the day after the due
-- date, the last the day of the payment that completes it. From the new year on a bill that was due in the old one costs
-- the rate of debts carried over. What a customer owed when the lake begins bears none: nobody knows since when.
--   amount_overdue   what these bills lacked at the first of these days
--   days_past_due    the most days that one of them was late in all
-- Reads customers, bill_status, received, credited, tariffs (segment, daily_rate, carried_over_rate).
-- Parameters: as_of, months_ago_1, settlement_tolerance.
-- Properties: stays_due, in_ranges.
with late as (
    select
        b.bill_id,
        b.customer_id,
        b.amount,
        b.due_on,
        case when year(b.due_on) < year(:months_ago_1) then t.carried_over_rate else t.daily_rate end as rate,
        greatest(b.due_on, cast(:months_ago_1 - interval 1 day as date)) as counted_from,
        least(coalesce(b.settled_on, b.written_off_on, :as_of), cast(:as_of - interval 1 day as date)) as counted_to
    from bill_status as b
    inner join customers as c on c.customer_id = b.customer_id
    inner join tariffs as t on t.segment = c.segment
    where b.due_on < :as_of
        and not b.is_opening_balance
        and coalesce(b.settled_on, b.written_off_on, :as_of) > b.due_on
        and coalesce(b.settled_on, b.written_off_on, :as_of) >= :months_ago_1
),

parts as (
    select
        customer_id,
        bill_id,
        paid_on,
        amount
    from received
    where bill_id is not null
    union all
    select
        customer_id,
        bill_id,
        paid_on,
        amount
    from credited
),

-- What was paid on a bill before it was complete, and for how many of the counted days it was there.
paid as (
    select
        l.customer_id,
        l.bill_id,
        sum(case when p.paid_on <= l.counted_from then p.amount else 0 end) as before,
        sum(p.amount * date_diff('day', greatest(p.paid_on, l.counted_from), l.counted_to)) as amount_days
    from late as l
    inner join parts as p on p.customer_id = l.customer_id and p.bill_id = l.bill_id
    where p.paid_on < l.counted_to
    group by l.customer_id, l.bill_id
),

charged as (
    select
        l.customer_id,
        l.rate,
        l.amount - coalesce(p.before, 0) as overdue,
        date_diff('day', l.due_on, l.counted_to) as days,
        (l.amount * date_diff('day', l.counted_from, l.counted_to) - coalesce(p.amount_days, 0)) * l.rate as fee
    from late as l
    left join paid as p on p.customer_id = l.customer_id and p.bill_id = l.bill_id
    where l.counted_to > l.counted_from
),

fees as (
    select
        customer_id,
        cast(sum(overdue) as decimal(18, 2)) as amount_overdue,
        max(days) as days_past_due,
        min(rate) as lowest_rate,
        max(rate) as highest_rate,
        cast(round(sum(fee), 2) as decimal(18, 2)) as fee
    from charged
    group by customer_id
)

select
    customer_id,
    strftime(:months_ago_1, '%Y-%m') as subject,
    cast(fee as varchar) || ' on ' || cast(amount_overdue as varchar) || ', up to ' || cast(days_past_due as varchar) || ' days overdue' as reason,
    cast(amount_overdue as varchar) as amount_overdue,
    days_past_due,
    case
        when lowest_rate = highest_rate then cast(cast(lowest_rate * 100 as double) as varchar) || '%'
        else cast(cast(lowest_rate * 100 as double) as varchar) || '% and ' || cast(cast(highest_rate * 100 as double) as varchar) || '%'
    end as daily_rate,
    cast(fee as varchar) as fee
from fees
where fee > 0
