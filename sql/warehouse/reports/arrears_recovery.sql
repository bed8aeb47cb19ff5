-- One row a published month: what was billed and collected in it, what is still open, and what rebates cost.
-- Money belongs to the month of its value date as that month knew it. What a month came to know of earlier ones stands in
-- its billed_booked_later and collected_booked_later, so that all months together are all the money.
-- recovery_rate is collected / billed; turnover is billed / average_receivable, the mean of the ends of this month and
-- the one before (null where that one is not there). Rebates are those of the campaigns that end with the month: repaid
-- is the part of the arrears that came back in them, rebate what was granted for it and rebate_paid what went out of that.
-- Reads ops.receivables and ops.arrears_rebates.

with months as (
    select
        rating_month,
        sum(billed) as billed,
        sum(billed_booked_later) as billed_booked_later,
        sum(collected) as collected,
        sum(collected_booked_later) as collected_booked_later,
        sum(receivable) as receivable,
        sum(overdue) as overdue
    from ops.receivables
    group by rating_month
),

rebates as (
    select
        r.rating_month,
        sum(r.opening_arrears) as opening_arrears,
        sum(r.repaid) as repaid,
        sum(r.rebate) as rebate,
        sum(r.late_rebate) as late_rebate,
        sum(case when r.is_paid then r.rebate else 0 end) as rebate_paid,
        sum(r.clawback) as clawback
    from ops.arrears_rebates as r
    group by r.rating_month
)

select
    m.rating_month,
    m.billed,
    m.billed_booked_later,
    m.collected,
    m.collected_booked_later,
    m.collected / nullif(m.billed, 0) as recovery_rate,
    m.receivable,
    m.overdue,
    (m.receivable + b.receivable) / 2 as average_receivable,
    m.billed / nullif((m.receivable + b.receivable) / 2, 0) as turnover,
    coalesce(r.opening_arrears, 0) as opening_arrears,
    coalesce(r.repaid, 0) as repaid,
    coalesce(r.rebate, 0) as rebate,
    coalesce(r.late_rebate, 0) as late_rebate,
    coalesce(r.rebate_paid, 0) as rebate_paid,
    coalesce(r.clawback, 0) as clawback
from months as m
left join months as b on b.rating_month = m.rating_month - interval '1 month'
left join rebates as r on r.rating_month = m.rating_month
