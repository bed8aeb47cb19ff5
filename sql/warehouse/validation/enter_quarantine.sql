-- Enters in quarantine what is left out, from quarantined. A record that was there before keeps the month and time it was
-- first left out. One row: a record.
-- Parameters: $1 (the source table), $2 (the rating month's first day).

insert into ops.quarantine (table_name, recorded_month, rating_month, row_number, row_key, failed, lake_path)
select $1, recorded_month, $2, row_number, row_key, failed, lake_path
from quarantined
on conflict (table_name, recorded_month, row_number) do update
set row_key = excluded.row_key, failed = excluded.failed, lake_path = excluded.lake_path
