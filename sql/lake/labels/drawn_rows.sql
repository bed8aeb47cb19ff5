-- The labelled customers of a cohort that are drawn. is_plain: drawn also where defaults are not preferred.
-- Reads roles (cohort_roles of the cohort), shares (family, role, is_default, and below which place a row is drawn, with
-- defaults preferred and plain). No parameters.
select
    r.customer_id,
    r.role,
    r.is_default,
    r.place < s.plain as is_plain
from roles as r
inner join shares as s
    on s.family = r.family
    and s.role = r.role
    and s.is_default = r.is_default
where r.place < s.drawn
