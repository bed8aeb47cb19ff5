-- The columns that two tables have in common. One row: a name. Parameters: tables (names of both).

select attname
from pg_attribute
where attnum > 0
    and not attisdropped
    and attrelid = any(cast(:tables as regclass[]))
group by attname
having count(*) = 2
