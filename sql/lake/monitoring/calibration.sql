-- What became of the customers of a cohort with known outcomes, by the grade of their default probability: one row per model version
-- and grade with customers, defaults and expected (the sum of the default probabilities).
-- Reads rated_outcomes (model_version, score, default_probability, is_default), grade_bounds (grade, from_probability,
-- below_probability). No parameters.
select
    r.model_version,
    b.grade,
    count(*) as customers,
    sum(case when r.is_default then 1 else 0 end) as defaults,
    sum(cast(r.default_probability as decimal(18, 15))) as expected
from rated_outcomes as r
inner join grade_bounds as b
    on r.default_probability >= b.from_probability
    and r.default_probability < b.below_probability
group by r.model_version, b.grade
