-- The rows that failed, whole, with the names of what they failed, in the order of the lake.
-- Reads checked, failures (file_number, file_row_number, failed). No parameters.
-- Fragments: columns (of the table).
select
    c.file_number,
    c.file_row_number,
    f.failed,
    {columns}
from checked as c
inner join failures as f on f.file_number = c.file_number and f.file_row_number = c.file_row_number
order by c.file_number, c.file_row_number
