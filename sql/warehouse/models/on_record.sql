-- Why a model version is kept. One row: what it did; no row where it never rated anybody.
-- Parameters: version.

select 'was put in force' as reason
from rating.model_promotions
where version = :version

union all

select 'rated ' || to_char(rating_month, 'YYYY-MM')
from ops.publications
where exists (select from json_each_text(model_versions) as m where m.value = :version)

union all

select 'was watched in ' || to_char(rating_month, 'YYYY-MM')
from rating.model_monitoring
where version = :version

union all

select 'was held beside another in ' || to_char(rating_month, 'YYYY-MM')
from rating.shadow_grades
where :version in (champion, challenger)
limit 1
