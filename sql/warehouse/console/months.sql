-- One row a published month, the newest first: what readers see of it, and what validation found when it ran.
-- Reads report.publications, ops.publications, ops.validation_results and ops.quarantine.

select
    p.rating_month,
    p.revision,
    p.basis,
    p.customers,
    p.published_at,
    p.published_by,
    p.run_kind,
    p.stale_since,
    p.moved,
    f.followed_up_at,
    v.failed_checks,
    v.warnings,
    q.quarantined
from report.publications as p
inner join ops.publications as f on f.rating_month = p.rating_month and f.revision = p.revision
left join (
    select
        rating_month,
        count(*) filter (where not success and severity = 'fail') as failed_checks,
        count(*) filter (where not success and severity = 'warn') as warnings
    from ops.validation_results
    group by rating_month
) as v on v.rating_month = p.rating_month
left join (
    select
        rating_month,
        count(*) as quarantined
    from ops.quarantine
    group by rating_month
) as q on q.rating_month = p.rating_month
where p.is_current
order by p.rating_month desc
