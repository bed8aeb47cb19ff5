-- One row a source table that a month's run checked: partitions, rows, expectations that did not hold, rows left out.
-- Reads ops.validation_results and ops.quarantine. Parameters: month.

select
    v.table_name,
    count(distinct v.recorded_month) as partitions,
    (
        select sum(s.most)
        from (
            select max(r.rows_checked) as most
            from ops.validation_results as r
            where r.rating_month = :month and r.table_name = v.table_name
            group by r.recorded_month
        ) as s
    ) as rows_checked,
    count(*) as checks,
    count(*) filter (where not v.success and v.severity = 'fail') as failed,
    count(*) filter (where not v.success and v.severity = 'warn') as warnings,
    (
        select count(*)
        from ops.quarantine as q
        where q.rating_month = :month and q.table_name = v.table_name
    ) as quarantined,
    max(v.checked_at) as checked_at
from ops.validation_results as v
where v.rating_month = :month
group by v.table_name
order by v.table_name
