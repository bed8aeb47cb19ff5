-- One row a published month: the portfolio in a few figures, with their change since the month published before it.
-- Money is null where the measures of the month, or of the one before, are not decided yet.
-- Reads rating.credit_grades, ops.publications and ops.receivables. The lateral joins let a month read its own two
-- partitions alone.

with months as (
    select
        p.rating_month,
        p.basis,
        p.revision,
        lag(p.rating_month) over (order by p.rating_month) as previous_month
    from ops.publications as p
    where p.superseded_at is null
)

select
    m.rating_month,
    m.previous_month,
    m.basis,
    m.revision,
    g.customers,
    g.customers - g.customers_before as customers_change,
    g.mean_score,
    g.mean_score - g.mean_score_before as mean_score_change,
    g.expected_defaults,
    g.mean_default_probability,
    g.mean_default_probability - g.mean_default_probability_before as mean_default_probability_change,
    g.in_default,
    g.in_default - g.in_default_before as in_default_change,
    g.upgrades,
    g.downgrades,
    r.billed,
    r.collected,
    r.receivable,
    r.overdue,
    r.overdue - r.overdue_before as overdue_change,
    r.collected / nullif(r.billed, 0) as recovery_rate,
    r.collected / nullif(r.billed, 0) - r.collected_before / nullif(r.billed_before, 0) as recovery_rate_change
from months as m
cross join lateral (
    select
        count(*) filter (where c.rating_month = m.rating_month) as customers,
        nullif(count(*) filter (where c.rating_month = m.previous_month), 0) as customers_before,
        avg(c.score) filter (where c.rating_month = m.rating_month) as mean_score,
        avg(c.score) filter (where c.rating_month = m.previous_month) as mean_score_before,
        sum(c.default_probability) filter (where c.rating_month = m.rating_month) as expected_defaults,
        avg(c.default_probability) filter (where c.rating_month = m.rating_month) as mean_default_probability,
        avg(c.default_probability) filter (where c.rating_month = m.previous_month) as mean_default_probability_before,
        count(*) filter (where c.rating_month = m.rating_month and c.rating_basis = 'default') as in_default,
        case
            when m.previous_month is not null
                then count(*) filter (where c.rating_month = m.previous_month and c.rating_basis = 'default')
        end as in_default_before,
        count(*) filter (where c.rating_month = m.rating_month and c.notch_change > 0) as upgrades,
        count(*) filter (where c.rating_month = m.rating_month and c.notch_change < 0) as downgrades
    from rating.credit_grades as c
    where c.rating_month = any(array[m.rating_month, m.previous_month])
) as g
cross join lateral (
    select
        sum(s.billed) filter (where s.rating_month = m.rating_month) as billed,
        sum(s.billed) filter (where s.rating_month = m.previous_month) as billed_before,
        sum(s.collected) filter (where s.rating_month = m.rating_month) as collected,
        sum(s.collected) filter (where s.rating_month = m.previous_month) as collected_before,
        sum(s.receivable) filter (where s.rating_month = m.rating_month) as receivable,
        sum(s.overdue) filter (where s.rating_month = m.rating_month) as overdue,
        sum(s.overdue) filter (where s.rating_month = m.previous_month) as overdue_before
    from ops.receivables as s
    where s.rating_month = any(array[m.rating_month, m.previous_month])
) as r
