-- Enters the service levels of a month, from fresh. One row: a size, value group, grade and whether there is a manager.
-- Parameters: $1 (the month's first day), $2 (the publication's id), $3 (the policy's levels, in their order).

insert into ops.service_levels (
    rating_month, customer_size, value_group, grade, has_manager, customers, required_level, required_rank,
    provided_level, provided_rank, publication_id
)
select
    $1, customer_size, value_group, grade, has_manager, customers, ($3::text[])[required_rank + 1], required_rank,
    ($3::text[])[provided_rank + 1], provided_rank, cast($2 as uuid)
from fresh
