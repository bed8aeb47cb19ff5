-- Customers by the champion's grade and the challenger's, by the models alone. One row per pair of grades.
-- Reads indices, grades. Parameters: family, worst (the last grade).
-- Fragments: input (the challenger's columns of indices), probability (its default probability of these columns),
-- champion_grade and challenger_grade (the grades of g.default_probability and s.default_probability).
with input as (
    select
        i.customer_id,
        i.is_in_default,
        {input}
    from indices as i
    where i.family = :family
),

scored as (
    select
        customer_id,
        is_in_default,
        {probability} as default_probability
    from input
),

both as (
    select
        {champion_grade} as champion_grade,
        case when s.is_in_default then :worst else {challenger_grade} end as challenger_grade
    from scored as s
    inner join grades as g on g.customer_id = s.customer_id
)

select
    champion_grade,
    challenger_grade,
    count(*) as customers
from both
group by champion_grade, challenger_grade
order by champion_grade, challenger_grade
