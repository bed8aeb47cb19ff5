-- Two ratings of a month side by side: one row per customer of either, with notches (grades up, or down if negative).
-- Reads after, before (both as pipeline.publishing.comparison.COLUMNS), scale (grade, rank). No parameters.
select
    coalesce(a.customer_id, b.customer_id) as customer_id,
    coalesce(a.segment, b.segment) as segment,
    b.grade as grade_before,
    a.grade as grade_after,
    from_rank.rank - to_rank.rank as notches,
    b.score as score_before,
    a.score as score_after,
    coalesce(b.grade_rule, b.rating_basis) as because_before,
    coalesce(a.grade_rule, a.rating_basis) as because_after,
    concat_ws(' ', b.reason_1, b.reason_2, b.reason_3, b.reason_4) as reasons_before,
    concat_ws(' ', a.reason_1, a.reason_2, a.reason_3, a.reason_4) as reasons_after
from after as a
full join before as b on b.customer_id = a.customer_id
left join scale as from_rank on from_rank.grade = b.grade
left join scale as to_rank on to_rank.grade = a.grade
