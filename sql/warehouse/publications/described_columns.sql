-- The columns of a monthly table with their types and comments.
-- One row: a column, in the table's order.
-- Parameters: name (of the table, with its schema).

select
    a.attname as name,
    format_type(a.atttypid, a.atttypmod) as type,
    a.attnotnull as is_required,
    col_description(a.attrelid, a.attnum) as meaning
from pg_attribute as a
where a.attrelid = cast(:name as regclass)
    and a.attnum > 0
    and not a.attisdropped
order by a.attnum
