-- Removes from quarantine what is left out no more. One row: a record.
-- Parameters: $1 (the source table).

delete from ops.quarantine as old
where table_name = $1
    and recorded_month in (select * from checked)
    and not exists (
        select from quarantined as new
        where new.recorded_month = old.recorded_month and new.row_number = old.row_number
    )
