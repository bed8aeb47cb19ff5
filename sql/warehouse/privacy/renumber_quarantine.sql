-- Gives rows of a partition's quarantine their new places, as negative numbers: the old and the new ones overlap.
-- One row: a record in quarantine.
-- Parameters: table_name, recorded_month, old, new (one of each, in the same order).

update ops.quarantine as q
set row_number = -1 - p.new
from unnest(cast(:old as bigint[]), cast(:new as bigint[])) as p (old, new)
where q.table_name = :table_name and q.recorded_month = :recorded_month and q.row_number = p.old
