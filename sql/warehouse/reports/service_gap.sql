-- One row a published month, size of customer, value group and grade: the level of service that these customers are owed
-- and the lowest that any of them gets. gap is how many levels that is above (+) or below (-); is_below_standard: below.
-- Reads ops.service_levels and rating.grade_scales.

select
    s.rating_month,
    s.customer_size,
    s.value_group,
    s.grade,
    o.grade_ordinal,
    sum(s.customers) as customers,
    min(s.required_level) as required_level,
    (array_agg(s.provided_level order by s.provided_rank))[1] as provided_level,
    min(s.provided_rank - s.required_rank) as gap,
    bool_or(s.provided_rank < s.required_rank) as is_below_standard
from ops.service_levels as s
left join rating.grade_scales as o
    on o.publication_id = s.publication_id
    and o.grade = s.grade
group by s.rating_month, s.customer_size, s.value_group, s.grade, o.grade_ordinal
