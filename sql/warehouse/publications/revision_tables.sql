-- Tables of schema rating as the catalogs have them. One row: a table that is there, with
-- the types of its columns by their names.
-- Parameters: names.

select
    c.relname as name,
    cast(cast(i.inhparent as regclass) as text) as parent,
    pg_relation_size(c.oid) = 0 as is_empty,
    (
        select json_object_agg(a.attname, format_type(a.atttypid, null) order by a.attname)
        from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ) as types
from pg_class as c
left join pg_inherits as i on i.inhrelid = c.oid
where c.relnamespace = 'rating'::regnamespace and c.relkind = 'r' and c.relname = any(:names)
