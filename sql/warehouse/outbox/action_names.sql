-- What the ids of the actions in decided are made from, where they have none yet.
-- One row: an action, by its place; name is a JSON array of its type and its reference.

select place, cast(to_jsonb(array_prepend(action_type, reference)) as text) as name
from decided
where action_id is null
