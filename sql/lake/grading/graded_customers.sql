-- Score, default probability, grade and reasons of every rated customer, by customer_id: columns as
-- rating.credit_grades. One row per customer. A customer in default has probability 1; the score stays the model's.
-- Reads previous (customer_id, grade), decided (customer_id, override_grade, veto_grade). No parameters.
-- Fragments: scored (scored_customers of every family), model_rank, previous_rank, override_rank, veto_rank (a grade's
-- place on the scale, 0 the best), ruling (the rank after each rule), model_grade, grade, notch_change, rating_basis,
-- grade_rule, reasons.
with scored as ({scored}),

ranked as (
    select
        s.*,
        p.grade as previous_grade,
        {model_rank} as rank_0,
        {previous_rank} as previous_rank,
        {override_rank} as override_rank,
        {veto_rank} as veto_rank
    from scored as s
    left join previous as p on p.customer_id = s.customer_id
    left join decided as d on d.customer_id = s.customer_id
),

ruled as ({ruling})

select
    customer_id,
    segment,
    region,
    score,
    case when is_in_default then 1e0 else default_probability end as default_probability,
    {model_grade} as model_grade,
    {grade} as grade,
    previous_grade,
    {notch_change} as notch_change,
    {rating_basis} as rating_basis,
    {grade_rule} as grade_rule,
    {reasons},
    rules_in_force,
    quarantined_records,
    model_version
from ruled
order by customer_id
