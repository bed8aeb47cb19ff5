-- What the ids of the actions in decided are made from.
-- One row: an action, by its place; name is a JSON array of its type and its reference.
-- Parameters: $1 (the action type).

select place, cast(to_jsonb(array_prepend(cast($1 as text), reference)) as text) as name
from decided
