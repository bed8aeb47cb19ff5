-- The customers of two revisions of a month with indices that differ. One row: a customer, with the names of these indices.
-- No parameters.
-- Fragments: names (of each index its name, or null where it is equal in a and b), before and after (the revisions' tables).

with compared as (
    select
        a.customer_id,
        array_remove(array[{names}], null) as changed
    from rating.{before} as b
    inner join rating.{after} as a on a.customer_id = b.customer_id
)

select customer_id, changed
from compared
where cardinality(changed) > 0
