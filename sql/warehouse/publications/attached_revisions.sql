-- The partitions of a monthly table that hold revisions of a month. One row: a partition.
-- Parameters: parent (the table, with its schema), prefix (how the names of the month's revisions begin).

select c.relname
from pg_inherits as i
inner join pg_class as c on c.oid = i.inhrelid
where i.inhparent = cast(:parent as regclass) and starts_with(c.relname, :prefix)
