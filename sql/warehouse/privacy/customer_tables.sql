-- The tables with a column customer_id, partitions and tables that were partitions each by itself. One row: a table.

select cast(cast(c.oid as regclass) as text) as name
from pg_attribute as a
inner join pg_class as c on c.oid = a.attrelid
inner join pg_namespace as n on n.oid = c.relnamespace
where a.attname = 'customer_id' and not a.attisdropped
    and c.relkind = 'r'
    and n.nspname in ('rating', 'ops')
order by 1
