-- Gives the actions in decided their ids, from identified. One row: an action.

update decided as d
set action_id = cast(encode(i.action_id, 'hex') as uuid)
from identified as i
where i.place = d.place
