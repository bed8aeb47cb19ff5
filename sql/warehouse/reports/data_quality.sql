-- One row a recorded month and source table: the records that came in that month, as they were last checked.
-- Of the customers it is the snapshot of the month. quarantined records are left out of the rating.
-- Reads ops.validation_results and ops.quarantine.

with checks as (
    select
        v.recorded_month,
        v.table_name,
        max(v.rows_checked) as records,
        count(*) as expectations,
        count(*) filter (where not v.success and v.severity = 'fail') as expectations_failed,
        count(*) filter (where not v.success and v.severity = 'warn') as expectations_warned
    from ops.validation_results as v
    group by v.recorded_month, v.table_name
),

left_out as (
    select
        q.recorded_month,
        q.table_name,
        count(*) as quarantined
    from ops.quarantine as q
    group by q.recorded_month, q.table_name
)

select
    c.recorded_month,
    c.table_name,
    c.records,
    coalesce(q.quarantined, 0) as quarantined,
    coalesce(q.quarantined, 0) / nullif(c.records, 0)::numeric as quarantined_share,
    c.expectations,
    c.expectations_failed,
    c.expectations_warned
from checks as c
left join left_out as q
    on q.recorded_month = c.recorded_month
    and q.table_name = c.table_name
