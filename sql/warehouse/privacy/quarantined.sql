-- Records in quarantine by their places. One row: a record.
-- Parameters: tables, months, numbers (one of each, in the same order).

select q.*
from unnest(cast(:tables as text[]), cast(:months as date[]), cast(:numbers as bigint[])) as p (name, month, place)
inner join ops.quarantine as q on q.table_name = p.name and q.recorded_month = p.month and q.row_number = p.place
order by q.table_name, q.recorded_month, q.row_number
