-- The customers that a model could learn from, by its bins. One row per binned quantity and bin.
-- Reads indices. Parameters: family, min_bills.
-- Fragments: input (the model's columns of indices), score (its score of these columns), bins (a union of selects of name
-- and bin from scored).
with eligible as (
    select {input}
    from indices as i
    where i.family = :family
        and i.bills >= :min_bills
        and not i.is_in_default
),

scored as (
    select
        *,
        {score} as score
    from eligible
),

placed as ({bins})

select
    name,
    bin,
    count(*) as customers
from placed
group by name, bin
